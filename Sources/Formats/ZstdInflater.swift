import CCompression

/// Unpacks Zstandard (RFC 8878): one frame after another. Frames whose window is beyond 128 MB are refused.
///
/// The library is given no more input than the block it asks for: where one is corrupt it forgets what it has put out in the same
/// call, which then is nothing.
package final class ZstdInflater: StreamInflater {
  private let stream: OpaquePointer
  private var isBetweenFrames = true
  private var position: Int64 = 0
  /// How many bytes the library wants next.
  private var wanted = ZstdInflater.frameStartBytes
  /// What was found behind the bytes given last; thrown by the next call.
  private var failure: FormatError?
  private static let frameStartBytes = 5

  package init() {
    guard let stream = ZSTD_createDStream() else { preconditionFailure("zstd: no memory") }
    self.stream = stream
  }

  deinit { ZSTD_freeDStream(stream) }

  package func inflate(
    from source: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>
  ) throws(FormatError) -> (consumed: Int, produced: Int, isAtEnd: Bool) {
    if let failure { throw failure }
    var input = ZSTD_inBuffer(src: source.baseAddress, size: 0, pos: 0)
    var output = ZSTD_outBuffer(dst: target.baseAddress, size: target.count, pos: 0)
    while failure == nil, output.pos < output.size, input.pos < source.count || !isBetweenFrames {
      let before = (input.pos, output.pos)
      input.size = min(source.count, input.pos + wanted)
      let code = ZSTD_decompressStream(stream, &output, &input)
      if ZSTD_isError(code) != 0 {
        failure = FormatError(
          "the zstd stream is corrupt after byte \(position + Int64(input.pos)): \(String(cString: ZSTD_getErrorName(code)))"
        )
        break
      }
      isBetweenFrames = code == 0
      wanted = code == 0 ? ZstdInflater.frameStartBytes : code
      if before == (input.pos, output.pos) { break }
    }
    position += Int64(input.pos)
    if let failure, input.pos == 0, output.pos == 0 { throw failure }
    return (input.pos, output.pos, isBetweenFrames)
  }

  package func finish() throws(FormatError) {
    if position == 0 { throw FormatError("the zstd stream is empty: not even an empty frame is there") }
    if !isBetweenFrames { throw FormatError("the zstd stream is cut short: it ends at byte \(position) in mid-frame") }
  }
}
