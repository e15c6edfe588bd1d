import State

/// The bounds of an overflow guard in the state: one entry a subtask, since what is in memory now is not after a restart.
enum OverflowBounds {
  /// Puts the bounds of this subtask into `run`, as its last entry.
  static func put(
    _ bounds: [Double], _ state: OperatorState, _ prefix: [UInt8], to run: any StateRunWriter
  ) throws(StateError) {
    if bounds.isEmpty { return }
    var writer = StateWriter()
    for bound in bounds { writer.write(bound) }
    let key = prefix + StateKey.hashBytes(firstOfGroup: state.keyGroups.lowerBound)
    try run.put(key, writer.bytes)
  }

  /// The sums over all subtasks: this one may own now what another had.
  static func read(_ state: OperatorState, _ prefix: [UInt8], count: Int) throws(StateError) -> [Double] {
    var sums = [Double](repeating: 0, count: count)
    let cursor = try state.makeCursor(from: prefix, to: StateStore.successor(of: prefix), isSweep: false)
    while cursor.isValid {
      var reader = StateReader([UInt8](cursor.value))
      for index in sums.indices { sums[index] += try reader.readDouble() }
      cursor.next()
    }
    try cursor.check()
    return sums
  }
}
