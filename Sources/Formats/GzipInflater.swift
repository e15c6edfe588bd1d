import CCompression

/// Unpacks gzip (RFC 1952): one member after another, then perhaps zero bytes of padding.
package final class GzipInflater: StreamInflater {
  private let stream: UnsafeMutablePointer<z_stream>
  private var state = State.betweenMembers
  private var position: Int64 = 0
  /// What was found behind the bytes given last; thrown by the next call.
  private var failure: FormatError?

  private enum State {
    /// Nothing is begun: a member, padding or the end may follow. Goes to `inMember` at the next byte that is not zero.
    case betweenMembers
    /// Goes to `betweenMembers` behind the member's checksum.
    case inMember
  }

  /// 15 bits of window, 16 for the gzip header and checksum (zlib.h, `inflateInit2`).
  private static let windowBits: Int32 = 15 + 16
  private static let maxPieceBytes = 1 << 30

  package init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let code = inflateInit2_(stream, GzipInflater.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib: no memory, or built for another version")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  package func inflate(
    from source: UnsafeBufferPointer<UInt8>, into target: UnsafeMutableBufferPointer<UInt8>
  ) throws(FormatError) -> (consumed: Int, produced: Int, isAtEnd: Bool) {
    if let failure { throw failure }
    var consumed = 0
    var produced = 0
    while produced < target.count {
      if state == .betweenMembers {
        while consumed < source.count, position > 0, source[consumed] == 0 { advance(&consumed, 1) }
        guard consumed < source.count else { break }
        inflateReset(stream)
        state = .inMember
      }
      let step = step(
        UnsafeBufferPointer(rebasing: source[consumed...]), UnsafeMutableBufferPointer(rebasing: target[produced...]))
      advance(&consumed, step.consumed)
      produced += step.produced
      if step.isCorrupt {
        failure = corrupt()
        break
      }
      if step.consumed == 0 && step.produced == 0 && state == .inMember { break }
    }
    if let failure, consumed == 0, produced == 0 { throw failure }
    return (consumed, produced, state == .betweenMembers)
  }

  package func finish() throws(FormatError) {
    if position == 0 { throw FormatError("the gzip stream is empty: not even an empty member is there") }
    if state == .inMember {
      throw FormatError("the gzip stream is cut short: it ends at byte \(position) in mid-member")
    }
  }

  private func advance(_ consumed: inout Int, _ count: Int) {
    consumed += count
    position += Int64(count)
  }

  private func step(
    _ source: UnsafeBufferPointer<UInt8>, _ target: UnsafeMutableBufferPointer<UInt8>
  ) -> (consumed: Int, produced: Int, isCorrupt: Bool) {
    let input = min(source.count, GzipInflater.maxPieceBytes)
    let output = min(target.count, GzipInflater.maxPieceBytes)
    stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
    stream.pointee.avail_in = UInt32(input)
    stream.pointee.next_out = target.baseAddress
    stream.pointee.avail_out = UInt32(output)
    let code = CCompression.inflate(stream, Z_NO_FLUSH)
    if code == Z_STREAM_END { state = .betweenMembers }
    let isSound = code == Z_STREAM_END || code == Z_OK || code == Z_BUF_ERROR
    return (input - Int(stream.pointee.avail_in), output - Int(stream.pointee.avail_out), !isSound)
  }

  private func corrupt() -> FormatError {
    let reason = stream.pointee.msg.map { String(cString: $0) } ?? "no gzip data"
    return FormatError("the gzip stream is corrupt after byte \(position): \(reason)")
  }
}
