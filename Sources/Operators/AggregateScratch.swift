import Expressions

/// Scratch space for one batch: grows, never shrinks; what it holds means nothing between uses. One owner.
final class Scratch<Element: BitwiseCopyable> {
  private(set) var base: UnsafeMutablePointer<Element>
  private(set) var capacity: Int

  init(capacity: Int = 256) {
    self.capacity = capacity
    base = .allocate(capacity: capacity)
  }

  deinit { base.deallocate() }

  /// Room for `count` elements; what was there is lost when it grows.
  func reserve(_ count: Int) -> UnsafeMutablePointer<Element> {
    if count > capacity {
      base.deallocate()
      capacity = count * 2
      base = .allocate(capacity: capacity)
    }
    return base
  }

  /// The same, but the first `kept` elements stay.
  func reserve(_ count: Int, keeping kept: Int) -> UnsafeMutablePointer<Element> {
    if count > capacity {
      base = GrowingMemory.moved(base, count: kept, capacity: count * 2)
      capacity = count * 2
    }
    return base
  }
}

/// Rows of a batch and the slot each belongs to: row `rows[i]` into `slots[i]`.
struct RowSelection {
  let rows: UnsafePointer<Int32>
  let slots: UnsafePointer<Int32>
  let count: Int
}

/// Which slots were touched since the last look, in the order of their first touch.
struct ChangedSlots {
  private(set) var slots: [Int32] = []
  private var isMarked: [Bool] = []

  var isEmpty: Bool { slots.isEmpty }

  mutating func mark(_ slot: Int32) {
    let index = Int(slot)
    if index >= isMarked.count {
      isMarked.append(contentsOf: repeatElement(false, count: max(index + 1, isMarked.count * 2) - isMarked.count))
    }
    if isMarked[index] { return }
    isMarked[index] = true
    slots.append(slot)
  }

  mutating func mark(_ selection: RowSelection) {
    for index in 0..<selection.count { mark(selection.slots[index]) }
  }

  func contains(_ slot: Int32) -> Bool { Int(slot) < isMarked.count && isMarked[Int(slot)] }

  mutating func removeAll() {
    for slot in slots { isMarked[Int(slot)] = false }
    slots.removeAll(keepingCapacity: true)
  }

  var sizeBytes: Int { slots.capacity * 4 + isMarked.capacity }
}

/// Lists of row positions.
enum AggregateRows {
  /// Writes the rows of a batch of `count` but those that fail, which are in order. Returns how many these are.
  static func write(_ count: Int, without failures: [RowFailure], to rows: UnsafeMutablePointer<Int32>) -> Int {
    var kept = 0
    var next = 0
    for row in 0..<count {
      if next < failures.count, failures[next].row == row {
        next += 1
      } else {
        rows[kept] = Int32(truncatingIfNeeded: row)
        kept &+= 1
      }
    }
    return kept
  }
}
