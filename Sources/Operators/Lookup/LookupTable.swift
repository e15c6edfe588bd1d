import StreamModel

/// What a lookup looks in. Shared by all subtasks of its step, which call it from their own threads.
package protocol LookupTable: AnyObject, Sendable {
  /// What the table has for the keys of one batch. May block until it is known; what cannot be known is a reason in the result.
  /// Throws only `cancelled`.
  func find(_ keys: LookupKeys) throws(OperatorError) -> LookupResult
  var counters: LookupCounters { get }
  /// Threads that it needs while it is used; each calls `work`, which returns after `close`.
  var workerCount: Int { get }
  func work()
  /// Ends every wait, now and later, with `OperatorError.cancelled`.
  func close()
}

extension LookupTable {
  package var workerCount: Int { 0 }
  package func work() {}
}

/// The encoded keys of one batch; valid during the call that they are given to.
package struct LookupKeys {
  package let batch: RecordBatch
  /// The key columns of `batch`.
  package let columns: [Int]
  private let encoded: KeyBatch
  /// Keeps the encoded keys alive.
  private let encoder: KeyEncoder
  private let nullable: [Column]

  /// `encoder` holds the keys of `batch`, which are its columns at `columns`.
  package init(_ batch: RecordBatch, columns: [Int], _ encoder: KeyEncoder) {
    self.batch = batch
    self.columns = columns
    self.encoder = encoder
    encoded = KeyBatch(encoder)
    nullable = columns.map { batch.columns[$0] }.filter { $0.hasNulls }
  }

  package var count: Int { batch.count }
  package var hasNulls: Bool { !nullable.isEmpty }

  /// Whether a column of the key is null in row `row`: then it is equal to no key of a table.
  package func isNull(_ row: Int) -> Bool { nullable.contains { !$0.isValid(row) } }

  var keys: KeyBatch { encoded }

  /// The key of row `row` as single values.
  func values(_ row: Int) -> [Value] { columns.map { batch.columns[$0].value(at: row) } }
}

/// What a table has for the rows of a batch.
package struct LookupResult {
  /// The rows that were found, and for each row of the batch the slot of its key in them; −1 for a key that is not there.
  package let rows: LookupRows
  package let slots: [Int32]
  /// Why nothing is known of a slot's key.
  package let failures: [Int32: String]

  package init(rows: LookupRows, slots: [Int32], failures: [Int32: String] = [:]) {
    self.rows = rows
    self.slots = slots
    self.failures = failures
  }
}

/// Rows of a table by slot of their key: of each key none, one, or its versions in the order of their validity.
///
/// Invariant for `Sendable`: nothing changes after `init`.
package final class LookupRows: @unchecked Sendable {
  /// The taken columns; where a lookup gives nulls with one row more, which is null.
  package let columns: [Column]
  /// Rows of slot `s`: from `starts[s]` to `starts[s + 1]`.
  package let starts: [Int32]
  package let count: Int
  let validFrom: Column?
  let validTo: Column?

  package init(columns: [Column], starts: [Int32], count: Int, validFrom: Column?, validTo: Column?) {
    self.columns = columns
    self.starts = starts
    self.count = count
    self.validFrom = validFrom
    self.validTo = validTo
  }

  /// The row that is null in every column.
  package var nullRow: Int32 { Int32(truncatingIfNeeded: count) }

  package var isVersioned: Bool { validFrom != nil }

  package func range(_ slot: Int32) -> Range<Int> { Int(starts[Int(slot)])..<Int(starts[Int(slot) + 1]) }

  /// The version of `slot` that is valid at `time`, and since when it is.
  package func version(of slot: Int32, at time: EventTime) -> (row: Int32, since: EventTime)? {
    guard isVersioned else { return nil }
    return withVersions { versions in
      let row = versions.latest(of: slot, at: time)
      guard row >= 0, versions.isOpen(row, at: time) else { return nil }
      return (row, versions.from[Int(row)])
    }
  }

  /// Calls `body` with the versions borrowed, which there must be.
  func withVersions<Result>(_ body: (LookupVersions) -> Result) -> Result {
    guard let validFrom, let validTo else { preconditionFailure("a lookup as of a time has versions") }
    return starts.withUnsafeBufferPointer { starts in
      guard let start = starts.baseAddress else { preconditionFailure("slots end somewhere") }
      return withExtendedLifetime((validFrom, validTo)) {
        body(LookupVersions(starts: start, from: validFrom.int64s, to: validTo.int64s, validity: validTo.validity))
      }
    }
  }
}

/// The versions of a table's rows, borrowed: for loops that count no references.
struct LookupVersions {
  let starts: UnsafePointer<Int32>
  let from: UnsafePointer<Int64>
  let to: UnsafePointer<Int64>
  let validity: UnsafePointer<UInt8>?

  /// The version of `slot` that began last at `time` or earlier; −1 where none had.
  @inline(__always) func latest(of slot: Int32, at time: EventTime) -> Int32 {
    let first = starts[Int(slot)]
    var low = first
    var high = starts[Int(slot) &+ 1]
    // The versions before `low` begin at `time` or earlier, those from `high` on later.
    while low < high {
      let middle = (low &+ high) >> 1
      if from[Int(middle)] <= time { low = middle &+ 1 } else { high = middle }
    }
    return low > first ? low &- 1 : -1
  }

  /// Whether a version has not ended at `time`.
  @inline(__always) func isOpen(_ version: Int32, at time: EventTime) -> Bool {
    let row = Int(version)
    if let validity, validity[row >> 3] & (1 << UInt8(row & 7)) == 0 { return true }
    return to[row] > time
  }
}
