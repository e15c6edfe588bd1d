import StreamModel

/// A buffered row, and the watermark at which all rows that go before it are known.
struct BufferedRow {
  let release: EventTime
  let time: EventTime
  let pick: RowPick
}

/// Rows that wait in memory in the batches in which they came; a batch goes with the last of its rows. One that has few of the
/// rows it was read with is copied: else each of many subtasks would keep, and count as its own, all bytes that were read.
///
/// Rows have a total order that does not depend on how they came: by `release`, event time, source, partition and position
/// in it where they were read from one (rows that a step made come first), and then by their values, so that
/// what the order leaves open cannot be told apart.
final class BufferedRows {
  private var batches: [RecordBatch?] = []
  private var waiting: [Int] = []
  private var savedSlots: [Bool] = []
  private var free: [Int] = []
  private(set) var sizeBytes = 0

  /// Takes in a batch; returns its rows, in order. `isSaved`: the state has them.
  func add(_ batch: RecordBatch, isSaved: Bool) -> [BufferedRow] {
    let slot = free.popLast() ?? batches.count
    if slot == batches.count {
      batches.append(nil)
      waiting.append(0)
      savedSlots.append(false)
    }
    let batch = batch.origin?.isSparse == true ? batch.compacted() : batch
    savedSlots[slot] = isSaved
    batches[slot] = batch
    waiting[slot] = batch.count
    sizeBytes += batch.sizeBytes
    let times = batch.eventTimes.int64s
    var rows: [BufferedRow] = []
    rows.reserveCapacity(batch.count)
    for row in 0..<batch.count {
      let pick = RowPick(batch: Int32(slot), row: Int32(row))
      rows.append(BufferedRow(release: BufferedRows.release(batch, row), time: times[row], pick: pick))
    }
    sort(&rows)
    return rows
  }

  /// The watermark at which all rows that go before a row are known.
  @inline(__always) static func release(_ batch: RecordBatch, _ row: Int) -> EventTime {
    batch.isBehind(row) ? batch.stampIfBehind(row).addingSaturated(1) : batch.eventTimes.int64s[row]
  }

  /// Whether the state has the rows of the batch in slot `slot`.
  func isSaved(_ slot: Int32) -> Bool { savedSlots[Int(slot)] }

  /// The state has all rows.
  func noteSaved() { for slot in savedSlots.indices { savedSlots[slot] = true } }

  func sort(_ rows: inout [BufferedRow]) {
    let isSorted = rows.indices.dropFirst().allSatisfy { !isBefore(rows[$0], rows[$0 - 1]) }
    if !isSorted { rows.sort(by: isBefore) }
  }

  /// The batch of slot `slot`, which holds waiting rows.
  func batch(_ slot: Int32) -> RecordBatch {
    guard let batch = batches[Int(slot)] else { preconditionFailure("a waiting row's batch is kept") }
    return batch
  }

  /// Notes that these rows have gone.
  func release(_ rows: ArraySlice<BufferedRow>) {
    for row in rows {
      let slot = Int(row.pick.batch)
      waiting[slot] -= 1
      guard waiting[slot] == 0 else { continue }
      sizeBytes -= batch(row.pick.batch).sizeBytes
      batches[slot] = nil
      free.append(slot)
    }
  }

  @inline(__always) func isBefore(_ left: BufferedRow, _ right: BufferedRow) -> Bool {
    if left.release != right.release { return left.release < right.release }
    if left.time != right.time { return left.time < right.time }
    return isBeforeAtTie(left.pick, right.pick)
  }

  private func isBeforeAtTie(_ left: RowPick, _ right: RowPick) -> Bool {
    let (one, other) = (batch(left.batch), batch(right.batch))
    let (row, otherRow) = (Int(left.row), Int(right.row))
    let byOrigin = compareOrigins(one.origin, row, other.origin, otherRow)
    if byOrigin != 0 { return byOrigin < 0 }
    for (column, otherColumn) in zip(one.columns, other.columns) {
      let byValue = column.compare(row, otherColumn, otherRow)
      if byValue != 0 { return byValue < 0 }
    }
    return false
  }

  private func compareOrigins(_ left: RecordOrigin?, _ row: Int, _ right: RecordOrigin?, _ otherRow: Int) -> Int {
    guard let left else { return right == nil ? 0 : -1 }
    guard let right else { return 1 }
    let (chunk, otherChunk) = (left.chunk(at: row), right.chunk(at: otherRow))
    if chunk === otherChunk { return left.start(row) - right.start(otherRow) }
    let (one, other) = (chunk.partition, otherChunk.partition)
    if one !== other, (one.source, one.name) != (other.source, other.name) {
      return (one.source, one.name) < (other.source, other.name) ? -1 : 1
    }
    let (position, otherPosition) = (left.position(at: row), right.position(at: otherRow))
    if position != otherPosition { return position < otherPosition ? -1 : 1 }
    // Records that were unpacked from one block can share a position.
    guard chunk.readNumber == otherChunk.readNumber else { return 0 }
    return chunk.readStart(ofRecordAt: left.start(row)) - otherChunk.readStart(ofRecordAt: right.start(otherRow))
  }
}

extension Column {
  /// Compares two values of one type, by any order in which only the same value is equal: null first, text by its bytes,
  /// doubles by their bits.
  fileprivate func compare(_ row: Int, _ other: Column, _ otherRow: Int) -> Int {
    let (isHere, isThere) = (isValid(row), other.isValid(otherRow))
    guard isHere && isThere else { return (isHere ? 1 : 0) - (isThere ? 1 : 0) }
    switch type.layout {
    case .bool8: return Int(booleans[row]) - Int(other.booleans[otherRow])
    case .int64, .float64: return order(int64s[row], other.int64s[otherRow])
    case .int128: return order(int128s[row], other.int128s[otherRow])
    case .view:
      let (text, otherText) = (bytes(at: row), other.bytes(at: otherRow))
      if text.elementsEqual(otherText) { return 0 }
      return text.lexicographicallyPrecedes(otherText) ? -1 : 1
    }
  }

  private func order<Element: Comparable>(_ left: Element, _ right: Element) -> Int {
    left == right ? 0 : left < right ? -1 : 1
  }
}
