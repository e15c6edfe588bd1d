/// A share of the key space. Keyed state and keyed exchange are laid out by key group, so that a job can come back at
/// another parallelism.
package struct KeyGroup: Hashable, Sendable {
  package let index: Int
  package init(_ index: Int) { self.index = index }

  /// How many key groups a job has; the most subtasks a keyed step can have.
  package static let count = 128

  /// The key group of a key with this hash.
  @inline(__always) package static func of(hash: UInt64) -> Int { Int(hash >> 57) }

  /// The subtask that owns a key group.
  @inline(__always) package static func subtask(ofGroup group: Int, parallelism: Int) -> Int {
    group * parallelism / count
  }

  /// The key groups of subtask `subtask`.
  package static func range(ofSubtask subtask: Int, parallelism: Int) -> Range<Int> {
    let start = (subtask * count + parallelism - 1) / parallelism
    let end = ((subtask + 1) * count + parallelism - 1) / parallelism
    return start..<end
  }
}
