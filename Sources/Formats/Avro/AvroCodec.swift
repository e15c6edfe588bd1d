import CCompression

/// How the blocks of an object file are compressed.
package enum AvroCodec: String, Hashable, Sendable, CaseIterable {
  case null
  /// Raw deflate (RFC 1951), without zlib's header and checksum.
  case deflate
  case zstandard

  /// The most bytes that a block may unpack to.
  static let maxUnpackedBytes = 256 << 20
}

/// Unpacks blocks; one owner.
struct AvroUnpacker {
  let codec: AvroCodec

  /// Appends what `block` holds to `buffer`. Throws where it is damaged, having appended an unknown part.
  func unpack(_ block: UnsafeBufferPointer<UInt8>, into buffer: inout ByteBuffer) throws(FormatError) {
    switch codec {
    case .null: buffer.append(block)
    case .deflate: try inflate(block, into: &buffer)
    case .zstandard: try unpackZstandard(block, into: &buffer)
    }
  }

  private func inflate(_ block: UnsafeBufferPointer<UInt8>, into buffer: inout ByteBuffer) throws(FormatError) {
    var stream = z_stream()
    // Negative: no header and checksum (zlib.h, `inflateInit2`).
    guard inflateInit2_(&stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
      throw FormatError("zlib: no memory")
    }
    defer { inflateEnd(&stream) }
    stream.next_in = UnsafeMutablePointer(mutating: block.baseAddress)
    stream.avail_in = UInt32(block.count)
    var produced = 0
    while true {
      let room = min(max(block.count * 4, 1 << 12), 1 << 20)
      stream.next_out = buffer.reserve(room)
      stream.avail_out = UInt32(room)
      let code = CCompression.inflate(&stream, Z_NO_FLUSH)
      let written = room - Int(stream.avail_out)
      buffer.advance(written)
      produced += written
      if code == Z_STREAM_END { return }
      if produced > AvroCodec.maxUnpackedBytes { throw AvroUnpacker.tooLarge }
      if code != Z_OK || (stream.avail_in == 0 && stream.avail_out > 0) {
        throw FormatError("its deflate data is \(code == Z_OK || code == Z_BUF_ERROR ? "cut short" : "damaged")")
      }
    }
  }

  private static let tooLarge = FormatError("it unpacks to more than \(AvroCodec.maxUnpackedBytes) bytes")

  private func unpackZstandard(
    _ block: UnsafeBufferPointer<UInt8>, into buffer: inout ByteBuffer
  ) throws(FormatError) {
    guard let stream = ZSTD_createDStream() else { throw FormatError("zstd: no memory") }
    defer { ZSTD_freeDStream(stream) }
    var input = ZSTD_inBuffer(src: block.baseAddress, size: block.count, pos: 0)
    var (produced, isWhole) = (0, false)
    while input.pos < input.size || !isWhole {
      let room = 1 << 17
      var output = ZSTD_outBuffer(dst: buffer.reserve(room), size: room, pos: 0)
      let before = input.pos
      let code = ZSTD_decompressStream(stream, &output, &input)
      if ZSTD_isError(code) != 0 {
        throw FormatError("its zstandard data is damaged: \(String(cString: ZSTD_getErrorName(code)))")
      }
      buffer.advance(output.pos)
      produced += output.pos
      if produced > AvroCodec.maxUnpackedBytes { throw AvroUnpacker.tooLarge }
      isWhole = code == 0
      if !isWhole, input.pos == before, output.pos == 0 { throw FormatError("its zstandard data is cut short") }
    }
  }
}

/// Packs blocks; one owner.
struct AvroPacker {
  let codec: AvroCodec

  private static let zstandardLevel: Int32 = 3

  func pack(_ block: UnsafeBufferPointer<UInt8>, into buffer: inout ByteBuffer) {
    switch codec {
    case .null: buffer.append(block)
    case .deflate: deflate(block, into: &buffer)
    case .zstandard:
      let bound = ZSTD_compressBound(block.count)
      let size = ZSTD_compress(
        buffer.reserve(bound), bound, block.baseAddress, block.count, AvroPacker.zstandardLevel)
      precondition(ZSTD_isError(size) == 0, "zstd: a block does not compress into its bound")
      buffer.advance(size)
    }
  }

  private func deflate(_ block: UnsafeBufferPointer<UInt8>, into buffer: inout ByteBuffer) {
    var stream = z_stream()
    let size = Int32(MemoryLayout<z_stream>.size)
    let code = deflateInit2_(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size)
    precondition(code == Z_OK, "zlib: no memory, or built for another version")
    defer { deflateEnd(&stream) }
    let bound = Int(deflateBound(&stream, UInt(block.count)))
    stream.next_in = UnsafeMutablePointer(mutating: block.baseAddress)
    stream.avail_in = UInt32(block.count)
    stream.next_out = buffer.reserve(bound)
    stream.avail_out = UInt32(bound)
    precondition(CCompression.deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib: a block does not fit its bound")
    buffer.advance(bound - Int(stream.avail_out))
  }
}
