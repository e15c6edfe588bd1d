import StreamModel

/// A queue of (start, slot) by start: the oldest undecided match, and those that `within` ends. A binary heap; entries that no
/// longer hold stay until they come first.
struct OpenMatches {
  struct Entry {
    let start: EventTime
    let slot: Int32
  }

  private var heap: [Entry] = []

  var first: Entry? { heap.first }
  var isEmpty: Bool { heap.isEmpty }

  mutating func insert(_ start: EventTime, _ slot: Int32) {
    heap.append(Entry(start: start, slot: slot))
    var child = heap.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard heap[child].start < heap[parent].start else { return }
      heap.swapAt(child, parent)
      child = parent
    }
  }

  mutating func removeFirst() {
    let last = heap.removeLast()
    guard !heap.isEmpty else { return }
    heap[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      guard child < heap.count else { return }
      if child + 1 < heap.count, heap[child + 1].start < heap[child].start { child += 1 }
      guard heap[child].start < heap[parent].start else { return }
      heap.swapAt(child, parent)
      parent = child
    }
  }

  mutating func removeAll() { heap = [] }
}
