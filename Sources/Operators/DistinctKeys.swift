import StreamModel

/// Numbers rows by the values of some columns, of which there are few: services, plans, time zones. One owner.
///
/// Should a column be full of nonsense, they are numbered anew when there are too many.
final class DistinctKeys {
  private let encoder: KeyEncoder
  private var table = GroupTable()
  private let slots = Scratch<Int32>()
  private let identity = Scratch<Int32>()
  private static let maxCount = 1 << 16

  struct Numbers {
    /// The number of each row's values; valid until the next call.
    let numbers: UnsafePointer<Int32>
    /// For each number that is new, in their order, a row that has it.
    let fresh: [Int]
    /// Whether numbers given before mean nothing any more: they begin at 0 again.
    let isAnew: Bool
  }

  init(_ columns: [Int]) { encoder = KeyEncoder(keyColumns: columns) }

  func assign(_ batch: RecordBatch) -> Numbers {
    let isAnew = table.slotCount > DistinctKeys.maxCount
    if isAnew { table = GroupTable() }
    let known = table.slotCount
    encoder.encode(batch)
    let rows = identity.reserve(batch.count)
    for row in 0..<batch.count { rows[row] = Int32(truncatingIfNeeded: row) }
    let slots = slots.reserve(batch.count)
    table.assign(KeyBatch(encoder), rows: rows, count: batch.count, slots: slots)
    var fresh: [Int] = []
    if table.slotCount > known {
      for row in 0..<batch.count where Int(slots[row]) == known + fresh.count { fresh.append(row) }
    }
    return Numbers(numbers: UnsafePointer(slots), fresh: fresh, isAnew: isAnew)
  }
}
