/// The header of an Avro object file (the specification's "Object Container Files"): how its blocks are to be read.
///
/// A file is the header and then blocks, each a count of records, a size in bytes, that many bytes, and the sync marker
/// that the header chose. The marker is where a reader finds its way again behind damage.
struct AvroContainerHeader {
  let schema: AvroSchema
  let schemaText: String
  let codec: AvroCodec
  let sync: [UInt8]

  static let magic: [UInt8] = [0x4F, 0x62, 0x6A, 0x01]
  static let syncBytes = 16

  /// The length of the header that `bytes` begin with; nil where they do not hold all of one.
  static func length(of bytes: UnsafeBufferPointer<UInt8>) -> Int? { AvroHeaderScan(bytes).scan()?.length }

  /// Reads a whole header.
  static func parse(_ bytes: [UInt8]) throws(FormatError) -> AvroContainerHeader {
    guard let scan = bytes.withUnsafeBufferPointer({ AvroHeaderScan($0).scan() }) else {
      throw FormatError("the file does not begin with the header of an Avro object file")
    }
    let name = scan.metadata["avro.codec"].map { String(decoding: $0, as: UTF8.self) } ?? AvroCodec.null.rawValue
    guard let codec = AvroCodec(rawValue: name) else {
      let known = AvroCodec.allCases.map(\.rawValue).joined(separator: ", ")
      throw FormatError("the file's codec \(name) is not one that is read: \(known)")
    }
    guard let text = scan.metadata["avro.schema"] else { throw FormatError("the file's header holds no schema") }
    let schema = String(decoding: text, as: UTF8.self)
    return AvroContainerHeader(
      schema: try AvroSchema.parse(schema), schemaText: schema, codec: codec, sync: scan.sync)
  }

  /// A header's bytes.
  static func encode(schema: String, codec: AvroCodec, sync: [UInt8]) -> [UInt8] {
    var buffer = ByteBuffer(capacity: 256)
    for byte in magic { buffer.append(byte) }
    let metadata = [("avro.codec", codec.rawValue), ("avro.schema", schema)]
    AvroBinary.append(long: Int64(metadata.count), to: &buffer)
    for (name, value) in metadata {
      AvroBinary.append(text: Array(name.utf8), to: &buffer)
      AvroBinary.append(text: Array(value.utf8), to: &buffer)
    }
    AvroBinary.append(long: 0, to: &buffer)
    for byte in sync { buffer.append(byte) }
    return [UInt8](buffer.bytes)
  }
}

/// Finds the parts of a header.
private struct AvroHeaderScan {
  private let bytes: UnsafeBufferPointer<UInt8>
  private var cursor = AvroContainerHeader.magic.count

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  struct Parts {
    var metadata: [String: [UInt8]] = [:]
    var sync: [UInt8] = []
    var length = 0
  }

  consuming func scan() -> Parts? {
    guard bytes.starts(with: AvroContainerHeader.magic) else { return nil }
    var parts = Parts()
    while true {
      guard let count = long() else { return nil }
      if count == 0 { break }
      if count < 0, long() == nil { return nil }
      for _ in 0..<min(count.magnitude, UInt64(bytes.count)) {
        guard let name = text(), let value = text() else { return nil }
        parts.metadata[String(decoding: name, as: UTF8.self)] = value
      }
    }
    guard let sync = take(AvroContainerHeader.syncBytes) else { return nil }
    parts.sync = sync
    parts.length = cursor
    return parts
  }

  private mutating func long() -> Int64? {
    guard let (value, end) = AvroBinary.long(bytes, at: cursor) else { return nil }
    cursor = end
    return value
  }

  private mutating func text() -> [UInt8]? {
    guard let length = long(), length >= 0 else { return nil }
    return take(Int(length))
  }

  private mutating func take(_ count: Int) -> [UInt8]? {
    guard count <= bytes.count - cursor else { return nil }
    defer { cursor += count }
    return [UInt8](bytes[cursor..<cursor + count])
  }
}

/// A block of an object file, as places in the bytes it was found in.
struct AvroBlock {
  let start: Int
  let recordCount: Int64
  let content: Range<Int>
  /// Behind the sync marker.
  let end: Int

  enum Found {
    case block(AvroBlock)
    /// More bytes are needed to tell.
    case incomplete
    /// No block begins there, or it does not end with the marker.
    case damaged
  }

  /// The block at `start`.
  static func find(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int, sync: [UInt8]) -> Found {
    guard let (count, afterCount) = AvroBinary.long(bytes, at: start),
      let (size, contentStart) = AvroBinary.long(bytes, at: afterCount)
    else { return bytes.count - start >= 2 * AvroBinary.maxLongBytes ? .damaged : .incomplete }
    guard count >= 0, size >= 0, size <= Int64(Int32.max) else { return .damaged }
    let contentEnd = contentStart + Int(size)
    guard contentEnd + sync.count <= bytes.count else { return .incomplete }
    guard bytes[contentEnd..<contentEnd + sync.count].elementsEqual(sync) else { return .damaged }
    return .block(
      AvroBlock(start: start, recordCount: count, content: contentStart..<contentEnd, end: contentEnd + sync.count))
  }

  /// Where the first sync marker at or behind `from` ends.
  static func endOfSync(_ bytes: UnsafeBufferPointer<UInt8>, from: Int, sync: [UInt8]) -> Int? {
    guard let first = sync.first else { return nil }
    var position = from
    while position + sync.count <= bytes.count {
      guard let next = bytes[position...].firstIndex(of: first), next + sync.count <= bytes.count else { return nil }
      if bytes[next..<next + sync.count].elementsEqual(sync) { return next + sync.count }
      position = next + 1
    }
    return nil
  }
}

/// Numbers and text in Avro's binary encoding.
enum AvroBinary {
  static let maxLongBytes = 10

  /// The number at `start` and where it ends; nil where it does not end in time.
  static func long(_ bytes: UnsafeBufferPointer<UInt8>, at start: Int) -> (value: Int64, end: Int)? {
    var value: UInt64 = 0
    var position = start
    while position < bytes.count, position - start < maxLongBytes {
      let byte = bytes[position]
      value |= UInt64(byte & 0x7F) &<< UInt64(7 * (position - start))
      position += 1
      if byte < 0x80 { return (Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1), position) }
    }
    return nil
  }

  @inline(__always) static func append(long value: Int64, to buffer: inout ByteBuffer) {
    let target = buffer.reserve(maxLongBytes)
    var rest = UInt64(bitPattern: value << 1 ^ value >> 63)
    var count = 0
    while rest >= 0x80 {
      target[count] = UInt8(truncatingIfNeeded: rest) | 0x80
      rest >>= 7
      count += 1
    }
    target[count] = UInt8(rest)
    buffer.advance(count + 1)
  }

  static func append(text: [UInt8], to buffer: inout ByteBuffer) {
    text.withUnsafeBufferPointer { append(text: $0, to: &buffer) }
  }

  @inline(__always) static func append(text: UnsafeBufferPointer<UInt8>, to buffer: inout ByteBuffer) {
    append(long: Int64(text.count), to: &buffer)
    buffer.append(text)
  }
}
