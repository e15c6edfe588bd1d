/// Slots that changed since the last snapshot: a bit each.
struct DirtySlots {
  private var words: [UInt64] = []

  /// Whether no slot is marked.
  var isEmpty: Bool { words.allSatisfy { $0 == 0 } }
  var sizeBytes: Int { words.capacity * 8 }

  /// Makes room for slots below `count`.
  mutating func grow(to count: Int) {
    let needed = (count + 63) / 64
    if needed > words.count {
      words.append(contentsOf: repeatElement(0, count: max(needed, words.count * 2) - words.count))
    }
  }

  mutating func mark(_ slot: Int32) {
    grow(to: Int(slot) + 1)
    words[Int(slot) &>> 6] |= 1 &<< (UInt64(slot) & 63)
  }

  /// Marks the slots of a selection, all below `count`.
  mutating func mark(_ selection: RowSelection, below count: Int) {
    grow(to: count)
    words.withUnsafeMutableBufferPointer { words in
      for index in 0..<selection.count {
        let slot = Int(selection.slots[index])
        words[slot &>> 6] |= 1 &<< (UInt64(slot) & 63)
      }
    }
  }

  /// The marked slots, ascending.
  var slots: [Int32] {
    var slots: [Int32] = []
    slots.reserveCapacity(words.reduce(0) { $0 + $1.nonzeroBitCount })
    for (index, word) in words.enumerated() {
      var rest = word
      while rest != 0 {
        slots.append(Int32(index * 64 + rest.trailingZeroBitCount))
        rest &= rest &- 1
      }
    }
    return slots
  }

  mutating func removeAll() {
    for index in words.indices { words[index] = 0 }
  }
}
