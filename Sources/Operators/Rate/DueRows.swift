/// Rows of one batch that wait to be rated together, in their order. One owner.
final class DueRows {
  private(set) var count = 0
  let rows = Scratch<Int32>()
  let contexts = Scratch<Int32>()
  let quantities = Scratch<Int64>()
  /// What each row's account has used in its cycle, once they are placed.
  let usage = Scratch<UnsafeMutablePointer<CycleUsage>>()
  private let panes = Scratch<Int32>()
  private let order = Scratch<Int32>()
  private let orderedRows = Scratch<Int32>()
  private let slots = Scratch<Int32>()

  /// Makes room for the rows of a batch.
  func begin(_ capacity: Int) {
    for scratch in [rows, contexts, panes, order, orderedRows, slots] { _ = scratch.reserve(capacity) }
    _ = quantities.reserve(capacity)
    _ = usage.reserve(capacity)
    count = 0
  }

  @inline(__always) func append(_ row: Int, context: Int32, quantity: Int64, pane: Int32) {
    rows.base[count] = Int32(truncatingIfNeeded: row)
    contexts.base[count] = context
    quantities.base[count] = quantity
    panes.base[count] = pane
    count &+= 1
  }

  func removeAll() { count = 0 }

  /// Finds what each row's key has used: the keys of one pane together, so that the processor overlaps the cache misses.
  func place(in all: CyclePanes<CycleUsage>, _ keys: KeyBatch) {
    var starts = [Int](repeating: 0, count: all.numbered.count + 1)
    for index in 0..<count { starts[Int(panes.base[index]) + 1] += 1 }
    for pane in all.numbered.indices { starts[pane + 1] += starts[pane] }
    var ends = starts
    ends.withUnsafeMutableBufferPointer { ends in
      for index in 0..<count {
        let pane = Int(panes.base[index])
        order.base[ends[pane]] = Int32(truncatingIfNeeded: index)
        orderedRows.base[ends[pane]] = rows.base[index]
        ends[pane] &+= 1
      }
    }
    for (number, pane) in all.numbered.enumerated() where starts[number] < starts[number + 1] {
      let first = starts[number]
      pane?.assign(
        keys, rows: orderedRows.base + first, places: order.base + first, count: starts[number + 1] - first,
        slots: slots.base + first, to: usage.base)
    }
  }
}
