import StreamModel

/// Splits the rows of a batch by the subtask that owns their key group.
///
/// Scratch space for one batch at a time; one owner.
struct KeyPartitioner {
  private let parallelism: Int
  /// Per key group: its subtask.
  private let owner: [UInt8]
  private var targets = Memory(capacityBytes: 1 << 14)
  private var rows = Memory(capacityBytes: 1 << 16)
  private var ends: [Int]

  init(parallelism: Int) {
    self.parallelism = parallelism
    owner = (0..<KeyGroup.count).map {
      UInt8(truncatingIfNeeded: KeyGroup.subtask(ofGroup: $0, parallelism: parallelism))
    }
    ends = Array(repeating: 0, count: parallelism + 1)
  }

  /// Sorts the rows with these hashes by subtask, each subtask's in their order.
  mutating func partition(_ hashes: UnsafePointer<UInt64>, count: Int) {
    if targets.capacityBytes < count { targets = Memory(capacityBytes: count * 2) }
    if rows.capacityBytes < count * 4 { rows = Memory(capacityBytes: count * 8) }
    let targets = targets.base.assumingMemoryBound(to: UInt8.self)
    let rows = rows.base.assumingMemoryBound(to: Int32.self)
    for index in ends.indices { ends[index] = 0 }
    owner.withUnsafeBufferPointer { owner in
      ends.withUnsafeMutableBufferPointer { ends in
        for row in 0..<count {
          let target = owner[KeyGroup.of(hash: hashes[row])]
          targets[row] = target
          ends[Int(target) + 1] &+= 1
        }
        for index in 1..<ends.count { ends[index] += ends[index - 1] }
        for row in 0..<count {
          let target = Int(targets[row])
          rows[ends[target]] = Int32(truncatingIfNeeded: row)
          ends[target] &+= 1
        }
      }
    }
  }

  /// The rows of subtask `target`; valid until the next `partition`.
  func rows(of target: Int) -> UnsafeBufferPointer<Int32> {
    let start = target == 0 ? 0 : ends[target - 1]
    return UnsafeBufferPointer(
      start: rows.base.assumingMemoryBound(to: Int32.self) + start, count: ends[target] - start)
  }
}
