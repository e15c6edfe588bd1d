import CCompression

/// Packs Zstandard (RFC 8878): one frame with a checksum.
package final class ZstdDeflater: StreamDeflater {
  private let stream: OpaquePointer
  private static let level: Int32 = 3
  private static let pieceBytes = 1 << 17

  package init() {
    guard let stream = ZSTD_createCStream() else { preconditionFailure("zstd: no memory") }
    self.stream = stream
    ZSTD_CCtx_setParameter(stream, ZSTD_c_compressionLevel, ZstdDeflater.level)
    ZSTD_CCtx_setParameter(stream, ZSTD_c_checksumFlag, 1)
  }

  deinit { ZSTD_freeCStream(stream) }

  package func deflate(_ source: UnsafeBufferPointer<UInt8>, into target: inout ByteBuffer) {
    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
    while input.pos < input.size { _ = run(&input, ZSTD_e_continue, into: &target) }
  }

  package func finish(into target: inout ByteBuffer) {
    var input = ZSTD_inBuffer(src: nil, size: 0, pos: 0)
    while run(&input, ZSTD_e_end, into: &target) > 0 {}
  }

  /// Returns how many bytes are left to be written, at least.
  private func run(
    _ input: inout ZSTD_inBuffer, _ directive: ZSTD_EndDirective, into target: inout ByteBuffer
  ) -> Int {
    var output = ZSTD_outBuffer(dst: target.reserve(ZstdDeflater.pieceBytes), size: ZstdDeflater.pieceBytes, pos: 0)
    let rest = ZSTD_compressStream2(stream, &output, &input, directive)
    precondition(ZSTD_isError(rest) == 0, "zstd: \(String(cString: ZSTD_getErrorName(rest)))")
    target.advance(output.pos)
    return rest
  }
}
