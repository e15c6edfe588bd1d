import StreamModel

/// What is wrong with a file's bytes as a whole, or with what it takes to understand them.
package struct FormatError: Error, Equatable, Sendable, CustomStringConvertible {
  package let description: String
  /// Whether trying again later may help: a schema registry that does not answer.
  package let isRetriable: Bool

  package init(_ description: String, isRetriable: Bool = false) {
    self.description = description
    self.isRetriable = isRetriable
  }
}

/// How bytes and rows correspond.
package enum Format: Hashable, Sendable {
  /// One JSON object a line.
  case json
  case csv(CSVOptions)
  /// The record's bytes as the one column `value`.
  case raw
  /// Object files, or messages whose schemas a registry holds.
  case avro(AvroOptions)
  /// A line or message a change of a database's row.
  case debeziumJSON(DebeziumOptions)
}

package struct CSVOptions: Hashable, Sendable {
  /// Whether the first record of a file names the columns; then cells are found by name.
  package var header = true
  package var delimiter: UInt8 = UInt8(ascii: ",")
  package var quote: UInt8 = UInt8(ascii: "\"")
  package init() {}
}

/// A record that does not decode: its bytes (a range of the chunk) and why.
package struct DecodeFailure: Hashable, Sendable {
  package let start: Int
  package let length: Int
  package let reason: String
  package init(start: Int, length: Int, reason: String) {
    self.start = start
    self.length = length
    self.reason = reason
  }
}

/// Rows decoded from one chunk, in order.
package struct DecodedRows: Sendable {
  package let columns: [Column]
  package let count: Int
  /// Per row a view (start, length) into the chunk: an int64 column (`RecordOrigin.ranges`).
  package let ranges: Column
  package init(columns: [Column], count: Int, ranges: Column) {
    self.columns = columns
    self.count = count
    self.ranges = ranges
  }
}

package struct DecodedChunk: Sendable {
  package let rows: DecodedRows
  package let failures: [DecodeFailure]
  /// The chunk that the ranges of rows and failures are of, where it is not the one decoded: records that were unpacked.
  package let chunk: RecordChunk?
  package init(rows: DecodedRows, failures: [DecodeFailure], chunk: RecordChunk? = nil) {
    self.rows = rows
    self.failures = failures
    self.chunk = chunk
  }
}

/// Turns chunks into rows. One owner and thread each; any number may decode chunks of one partition side by side.
package protocol RecordDecoder: AnyObject {
  /// Decodes every record of `chunk`, which holds whole records. `prologue` is what `RecordSplitter.prologue` found at the
  /// start of the partition (a CSV header), empty otherwise. A bad record is a failure of its own; throws only what is no
  /// record's fault, such as a schema registry that does not answer.
  func decode(_ chunk: RecordChunk, prologue: [UInt8]) throws(FormatError) -> DecodedChunk
}

/// Finds where records end in the bytes of one partition, which it sees in order. One per partition.
package protocol RecordSplitter {
  /// Scans `bytes`, which begin at a record's start and whose first `scanned` bytes were given before; returns the end of
  /// the last whole record in it (0 when none is whole). At the end of the partition all of it is whole.
  mutating func lastRecordEnd(in bytes: UnsafeBufferPointer<UInt8>, scanned: Int, isAtEnd: Bool) -> Int

  /// Whether the partition begins with a prologue (a CSV header record) to be cut off before the first chunk.
  var hasPrologue: Bool { get }
  /// Whether the bytes that `lastRecordEnd` gave away last are a piece of a record too long to hold: their chunk is to be made
  /// with `isFragment`. Then more whole records may follow even at the end of the partition: ask until nothing is left.
  var isFragment: Bool { get }
  /// The length of the prologue, its line end included, or nil when `bytes` do not hold all of it yet.
  func prologueLength(in bytes: UnsafeBufferPointer<UInt8>, isAtEnd: Bool) -> Int?
  /// What is wrong where there is no prologue in the first bytes of a partition, and how to mend it.
  func prologueFault(_ bytes: UnsafeBufferPointer<UInt8>) -> String
}

extension RecordSplitter {
  package var isFragment: Bool { false }

  package func prologueFault(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    "its header does not end within \(bytes.count) bytes — check the quotes in its first line, or set `header: false`"
  }
}

/// Turns rows into bytes.
package protocol RecordEncoder: AnyObject {
  /// What goes before the first row of a file (a CSV header), or empty.
  func header(for schema: Schema) -> [UInt8]
  /// Appends every row of `batch`, each with its line end. Rows that are written in blocks may be held back.
  func encode(_ batch: RecordBatch, into buffer: inout ByteBuffer)
  /// Appends what is held back: a file ends.
  func finish(into buffer: inout ByteBuffer)
}

extension RecordEncoder {
  package func finish(into buffer: inout ByteBuffer) {}
}

/// Turns rows into messages, each with bytes of its own.
package protocol MessageEncoder: AnyObject {
  /// Gets ready, before the first `encode`: agrees the schema with the registry, where there is one.
  func open() throws(FormatError)
  /// Appends every row of `batch`, and to `ranges` where each one's bytes lie in `buffer`.
  func encode(
    _ batch: RecordBatch, into buffer: inout ByteBuffer, ranges: inout [Range<Int>]
  ) throws(FormatError)
}

/// A growing byte area with cheap appends. One owner.
package struct ByteBuffer: ~Copyable {
  package private(set) var base: UnsafeMutablePointer<UInt8>
  package private(set) var count = 0
  private var capacity: Int

  package init(capacity: Int = 1 << 16) {
    self.capacity = max(capacity, 64)
    base = .allocate(capacity: self.capacity)
  }

  deinit { base.deallocate() }

  /// Room for `needed` more bytes; write there, then `advance`.
  @inline(__always) package mutating func reserve(_ needed: Int) -> UnsafeMutablePointer<UInt8> {
    if count + needed > capacity { grow(needed) }
    return base + count
  }

  @inline(__always) package mutating func advance(_ written: Int) { count += written }

  private mutating func grow(_ needed: Int) {
    let larger = max(capacity * 2, count + needed)
    let moved = UnsafeMutablePointer<UInt8>.allocate(capacity: larger)
    moved.update(from: base, count: count)
    base.deallocate()
    base = moved
    capacity = larger
  }

  package mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let start = bytes.baseAddress else { return }
    reserve(bytes.count).update(from: start, count: bytes.count)
    count += bytes.count
  }

  package mutating func append(_ byte: UInt8) {
    reserve(1).pointee = byte
    count += 1
  }

  package mutating func append(_ text: StaticString) {
    append(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }

  package mutating func removeAll() { count = 0 }

  /// Takes back what was appended behind the first `length` bytes.
  package mutating func truncate(to length: Int) { count = min(count, length) }

  package var bytes: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: base, count: count) }
}
