import Foundation
import KafkaClient
import Testing

/// Reads a partition's record batches as they lie in the log, over a connection of its own, and applies the commit and abort
/// markers itself: what a committed reader of a faultless broker sees.
///
/// Kafka's protocol: Fetch version 4, record batches of magic 2, uncompressed.
struct RawPartition {
  let bootstrap: String
  let place: TopicPartition

  private struct Batch {
    let baseOffset: Int64
    let producerID: Int64
    let isTransactional: Bool
    let isControl: Bool
    let records: [LogRecord]
  }

  /// Records that were committed, and those outside of transactions, in the order of the log, up to the first transaction
  /// that is still open.
  func committed() throws -> [LogRecord] {
    let batches = try readAll()
    // Per producer, the batches of its transaction that is open at this point of the log.
    var open: [Int64: [Int]] = [:]
    var isVisible = [Bool](repeating: false, count: batches.count)
    for (index, batch) in batches.enumerated() {
      if batch.isControl {
        let isCommit = try #require(batch.records.first?.key).suffix(2) == [0, 1]
        for member in open.removeValue(forKey: batch.producerID) ?? [] { isVisible[member] = isCommit }
      } else if batch.isTransactional {
        open[batch.producerID, default: []].append(index)
      } else {
        isVisible[index] = true
      }
    }
    let stable = open.values.joined().min() ?? batches.count
    return batches[..<stable].indices.filter { isVisible[$0] }.flatMap { batches[$0].records }
  }

  private func readAll() throws -> [Batch] {
    let connection = try Connection(bootstrap)
    var batches: [Batch] = []
    var next: Int64 = 0
    while true {
      // Not until the end that the answer names: it may leave out what the last transaction's marker takes.
      let bytes = try fetch(connection, from: next)
      let found = try RawPartition.batches(bytes).filter { $0.end > next }
      for batch in found { next = max(next, batch.end) }
      batches += found.map(\.batch)
      if found.isEmpty { return batches }
    }
  }

  /// The bytes of record batches from an offset.
  private func fetch(_ connection: Connection, from offset: Int64) throws -> [UInt8] {
    var request = Bytes()
    request.add(Int16(1))  // Fetch
    request.add(Int16(4))
    request.add(Int32(1))  // correlation
    request.add("raw-partition")
    request.add(Int32(-1))  // replica: a consumer
    request.add(Int32(500))  // wait at most, ms
    request.add(Int32(0))  // at least this many bytes
    request.add(Int32(50 << 20))
    request.add(Int8(0))  // uncommitted records too
    request.add(Int32(1))
    request.add(place.topic)
    request.add(Int32(1))
    request.add(place.partition)
    request.add(offset)
    request.add(Int32(50 << 20))
    var answer = try connection.ask(request.content)
    _ = try answer.int32()  // correlation
    _ = try answer.int32()  // throttle
    try #require(try answer.int32() == 1)
    _ = try answer.string()
    try #require(try answer.int32() == 1)
    _ = try answer.int32()
    let error = try answer.int16()
    try #require(error == 0, "\(place) at \(offset): error \(error)")
    _ = try answer.int64()  // the end
    _ = try answer.int64()  // the last stable offset
    for _ in 0..<max(0, try answer.int32()) {
      _ = try answer.int64()
      _ = try answer.int64()
    }
    let size = Int(try answer.int32())
    return size > 0 ? try answer.bytes(size) : []
  }

  private static func batches(_ bytes: [UInt8]) throws -> [(batch: Batch, end: Int64)] {
    var reader = Reader(bytes)
    var batches: [(Batch, Int64)] = []
    while reader.rest >= 61 {
      let base = try reader.int64()
      let length = Int(try reader.int32())
      // The last batch may be cut off.
      guard reader.rest >= length else { break }
      var content = Reader(try reader.bytes(length))
      _ = try content.int32()  // leader epoch
      try #require(try content.bytes(1) == [2], "a record batch of another format")
      _ = try content.int32()  // checksum
      let attributes = try content.int16()
      try #require(attributes & 7 == 0, "a compressed batch: the tests' sinks do not compress")
      let lastDelta = try content.int32()
      _ = try content.int64()
      _ = try content.int64()
      let producer = try content.int64()
      _ = try content.int16()
      _ = try content.int32()
      let count = try content.int32()
      let records = try (0..<count).map { _ in try record(&content, base) }
      batches.append(
        (
          Batch(
            baseOffset: base, producerID: producer, isTransactional: attributes & 0x10 != 0,
            isControl: attributes & 0x20 != 0, records: records), base + Int64(lastDelta) + 1
        ))
    }
    return batches
  }

  private static func record(_ reader: inout Reader, _ base: Int64) throws -> LogRecord {
    var content = Reader(try reader.bytes(Int(try reader.varint())))
    _ = try content.bytes(1)
    _ = try content.varint()
    let delta = try content.varint()
    let keyLength = try content.varint()
    let key = keyLength >= 0 ? try content.bytes(Int(keyLength)) : nil
    let valueLength = try content.varint()
    let value = valueLength >= 0 ? try content.bytes(Int(valueLength)) : nil
    return LogRecord(offset: base + delta, key: key, value: value)
  }

  // MARK: Bytes

  struct Truncated: Error {}

  private struct Bytes {
    private(set) var content: [UInt8] = []
    mutating func add<Number: FixedWidthInteger>(_ number: Number) {
      withUnsafeBytes(of: number.bigEndian) { content += $0 }
    }
    mutating func add(_ text: String) {
      add(Int16(text.utf8.count))
      content += text.utf8
    }
  }

  fileprivate struct Reader {
    private let content: [UInt8]
    private var position = 0
    init(_ content: [UInt8]) { self.content = content }
    var rest: Int { content.count - position }

    mutating func bytes(_ count: Int) throws -> [UInt8] {
      guard count >= 0, rest >= count else { throw Truncated() }
      defer { position += count }
      return Array(content[position..<position + count])
    }
    private mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws -> Number {
      try bytes(MemoryLayout<Number>.size).reduce(0) { ($0 << 8) | Number(truncatingIfNeeded: $1) }
    }
    mutating func int16() throws -> Int16 { try number(Int16.self) }
    mutating func int32() throws -> Int32 { try number(Int32.self) }
    mutating func int64() throws -> Int64 { try number(Int64.self) }
    mutating func string() throws -> String { String(decoding: try bytes(Int(try int16())), as: UTF8.self) }
    mutating func varint() throws -> Int64 {
      var value: UInt64 = 0
      for shift in stride(from: UInt64(0), to: 64, by: 7) {
        let byte = try bytes(1)[0]
        value |= UInt64(byte & 0x7F) << shift
        if byte & 0x80 == 0 { return Int64(value >> 1) ^ -Int64(value & 1) }
      }
      throw Truncated()
    }
  }

  /// A connection to a broker; one request at a time.
  private final class Connection {
    private let descriptor: Int32

    init(_ bootstrap: String) throws {
      let parts = bootstrap.split(separator: ",")[0].split(separator: ":")
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_port = try #require(UInt16(parts[1])).bigEndian
      let host = parts[0] == "localhost" ? "127.0.0.1" : String(parts[0])
      try #require(inet_pton(AF_INET, host, &address.sin_addr) == 1, "\(bootstrap) is no address of numbers")
      let status = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      try #require(status == 0, "\(bootstrap): \(String(cString: strerror(errno)))")
    }

    deinit { close(descriptor) }

    func ask(_ request: [UInt8]) throws -> Reader {
      var framed = Bytes()
      framed.add(Int32(request.count))
      let message = framed.content + request
      try #require(send(descriptor, message, message.count, Int32(MSG_NOSIGNAL)) == message.count)
      var size = Reader(try receive(4))
      return Reader(try receive(Int(try size.int32())))
    }

    private func receive(_ count: Int) throws -> [UInt8] {
      var bytes = [UInt8](repeating: 0, count: count)
      var filled = 0
      while filled < count {
        let given = bytes.withUnsafeMutableBytes {
          recv(descriptor, $0.baseAddress.map { $0 + filled }, count - filled, 0)
        }
        guard given > 0 else { throw Truncated() }
        filled += given
      }
      return bytes
    }
  }
}
