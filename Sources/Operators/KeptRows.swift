import State
import StreamModel

/// The rows that `deduplicate` has kept in one span of event time: those in memory, and what the state holds beyond them.
///
/// Kept rows are only added, in the order of the table, so what the last snapshot has not seen is the table's tail. One owner.
final class KeptRows {
  let span: Int64
  /// What the span's state keys begin with.
  let prefix: [UInt8]
  private(set) var table = KeyedBucketTable()
  /// Whether the state has rows that are not in memory, or any at all.
  private(set) var hasSpilled = false
  private(set) var isPersisted = false
  /// Rows of the batch's keys that were read from the state.
  private var read: KeyedBucketTable?
  /// The state has the rows before this place of the table.
  private var written = 0

  static let stateTable: UInt8 = 0
  private static let prefixBytes = 9

  init(span: Int64) {
    self.span = span
    prefix = KeptRows.prefix(span: span)
  }

  static func prefix(span: Int64) -> [UInt8] { [stateTable] + StateKey.bytes(span) }

  /// The span that a state key begins with; nil where it is too short.
  static func span(_ key: UnsafeRawBufferPointer) -> Int64? {
    key.count >= prefixBytes + StateKey.hashLength ? StateKey.number(key, at: 1) : nil
  }

  /// The event time in an entry's value; nil where it is none.
  static func time(_ value: UnsafeRawBufferPointer) -> EventTime? {
    value.count == 8 ? Int64(littleEndian: value.loadUnaligned(as: Int64.self)) : nil
  }

  /// What is in memory and what was read, for loops of lookups; valid until the next insertion.
  var lookups: KeptRowLookup { KeptRowLookup(table: table.lookup, read: read?.lookup) }
  var readLookup: KeyLookup? { read?.lookup }

  /// The state has rows of this span.
  func restore() {
    hasSpilled = true
    isPersisted = true
  }

  /// Forgets what is in memory, all of which is in the state.
  func letGo() {
    table = KeyedBucketTable()
    written = 0
    restore()
  }

  /// Reads from the state what it has for the keys of `rows` that are not in memory.
  func read(_ rows: Range<Int>, _ encoder: KeyEncoder, from state: OperatorState) throws(StateError) {
    let read = KeyedBucketTable()
    let wanted = GroupTable()
    for row in rows where table.find(encoder.key(row), hash: encoder.hashes[row]) == nil {
      _ = wanted.insert(encoder.key(row), hash: encoder.hashes[row])
    }
    let order = HashOrder.sorted(wanted, [Int32](0..<Int32(wanted.slotCount)))
    let keys = order.map { number in
      let key = wanted.key(HashOrder.slot(number))
      return StateKey.make(prefix, key, hash: KeyEncoder.hash(key))
    }
    for (number, value) in zip(order, try state.get(keys)) {
      guard let value else { continue }
      guard let time = value.withUnsafeBytes({ KeptRows.time($0) }) else {
        throw .malformed("a kept row of \(value.count) bytes")
      }
      let key = wanted.key(HashOrder.slot(number))
      read.insert(key, hash: KeyEncoder.hash(key), value: time)
    }
    self.read = read
  }

  /// Whether there are rows that the state has not.
  var hasChanges: Bool { written < table.end }

  /// Puts the rows that the state has not into `run`.
  func write(to run: any StateRunWriter) throws(StateError) {
    let places = table.places(from: written)
    var order = places.enumerated().map { index, place in
      UInt64(StateKey.order(ofHash: KeyEncoder.hash(table.entry(at: place).key))) << 32 | UInt64(index)
    }
    HashOrder.sort(&order)
    HashOrder.breakTies(&order) { table.entry(at: places[Int($0)]).key }
    let buffer = StateKeyBuffer()
    buffer.setPrefix(prefix)
    let noSuffix = UnsafeRawBufferPointer(start: nil, count: 0)
    for number in order {
      let entry = table.entry(at: places[Int(number & 0xFFFF_FFFF)])
      let key = buffer.make(HashOrder.order(number), entry.key, suffix: noSuffix)
      var failure: StateError?
      withUnsafeBytes(of: entry.value.littleEndian) { value in
        do throws(StateError) { try run.put(key, value) } catch { failure = error }
      }
      if let failure { throw failure }
    }
    written = table.end
    isPersisted = true
  }
}

/// Kept rows of one span, borrowed for lookups.
struct KeptRowLookup {
  let table: KeyLookup
  let read: KeyLookup?

  /// The event time of the row of `key` that was kept; nil where there is none.
  @inline(__always) func find(_ key: UnsafeRawBufferPointer, hash: UInt64) -> EventTime? {
    if let kept = table.find(key, hash: hash) { return kept.pointee }
    return read?.find(key, hash: hash)?.pointee
  }
}
