import CCompression

/// Unpacks Zstandard (RFC 8878): one frame after another. Frames whose window is beyond 128 MB are refused.
package final class ZstdInflater: StreamInflater {
  private let stream: OpaquePointer
  private var isBetweenFrames = true
  private var position: Int64 = 0

  package init() {
    guard let stream = ZSTD_createDStream() else { preconditionFailure("zstd: no memory") }
    self.stream = stream
  }

  deinit { ZSTD_freeDStream(stream) }

  package func inflate(
    from source: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>
  ) throws(FormatError) -> (consumed: Int, produced: Int, isAtEnd: Bool) {
    var input = ZSTD_inBuffer(src: source.baseAddress, size: source.count, pos: 0)
    var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
    while output.pos < output.size, input.pos < input.size || !isBetweenFrames {
      let before = (input.pos, output.pos)
      let code = ZSTD_decompressStream(stream, &output, &input)
      if ZSTD_isError(code) != 0 {
        let place = position + Int64(input.pos)
        throw FormatError("the zstd stream is corrupt after byte \(place): \(String(cString: ZSTD_getErrorName(code)))")
      }
      isBetweenFrames = code == 0
      if before == (input.pos, output.pos) { break }
    }
    position += Int64(input.pos)
    return (input.pos, output.pos, isBetweenFrames)
  }

  package func finish() throws(FormatError) {
    if position == 0 { throw FormatError("the zstd stream is empty: not even an empty frame is there") }
    if !isBetweenFrames { throw FormatError("the zstd stream is cut short: it ends at byte \(position) in mid-frame") }
  }
}
