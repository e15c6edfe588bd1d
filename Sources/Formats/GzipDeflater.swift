import CCompression

/// Packs gzip (RFC 1952): one member, without a name or a time in its header.
package final class GzipDeflater: StreamDeflater {
  private let stream: UnsafeMutablePointer<z_stream>
  /// 15 bits of window, 16 for the gzip header and checksum (zlib.h, `deflateInit2`).
  private static let windowBits: Int32 = 15 + 16
  private static let memoryLevel: Int32 = 8
  private static let pieceBytes = 1 << 16

  package init() {
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    let code = deflateInit2_(
      stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GzipDeflater.windowBits, GzipDeflater.memoryLevel, Z_DEFAULT_STRATEGY,
      ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(code == Z_OK, "zlib: no memory, or built for another version")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  package func deflate(_ source: UnsafeBufferPointer<UInt8>, into target: inout ByteBuffer) {
    var start = 0
    while start < source.count {
      let count = min(source.count - start, 1 << 30)
      run(UnsafeBufferPointer(rebasing: source[start..<start + count]), Z_NO_FLUSH, into: &target)
      start += count
    }
  }

  package func finish(into target: inout ByteBuffer) {
    run(UnsafeBufferPointer(start: nil, count: 0), Z_FINISH, into: &target)
  }

  /// Goes on until zlib leaves room in the output, which says that it has nothing more to give.
  private func run(_ source: UnsafeBufferPointer<UInt8>, _ flush: Int32, into target: inout ByteBuffer) {
    stream.pointee.next_in = UnsafeMutablePointer(mutating: source.baseAddress)
    stream.pointee.avail_in = UInt32(source.count)
    repeat {
      stream.pointee.next_out = target.reserve(GzipDeflater.pieceBytes)
      stream.pointee.avail_out = UInt32(GzipDeflater.pieceBytes)
      _ = CCompression.deflate(stream, flush)
      target.advance(GzipDeflater.pieceBytes - Int(stream.pointee.avail_out))
    } while stream.pointee.avail_out == 0
  }
}
