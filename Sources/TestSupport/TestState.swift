import Operators
import State
import StreamModel

/// The state of operators under test, in memory.
package final class TestState {
  package let backend: any StateBackend
  private var store: StateStore
  private var states: [OperatorState] = []
  private var checkpoint: Int64 = 0

  private static let family = "test"

  package init(_ backend: any StateBackend = MemoryStateBackend()) {
    self.backend = backend
    store = StateStore(backend: backend, budget: StateBudget(limitBytes: 1 << 30))
  }

  /// Gives `target` the state of its key groups.
  package func attach(
    _ target: any StreamOperator, keyGroups: Range<Int> = 0..<KeyGroup.count, watermark: EventTime = EventTimes.minimum
  ) throws(OperatorError) {
    let state = store.open(family: TestState.family, keyGroups: keyGroups)
    states.append(state)
    try target.attach(state, watermark: watermark)
  }

  /// Takes a checkpoint: what it needs of `targets` to go on is in the state then. Returns their least watermark.
  @discardableResult package func snapshot(_ targets: [any StreamOperator]) throws -> EventTime {
    checkpoint += 1
    var watermark = EventTimes.maximum
    for target in targets { watermark = min(watermark, try target.snapshot()) }
    for state in states { state.seal(checkpoint) }
    try store.take(checkpoint, in: "")
    return watermark
  }

  /// Makes the operators that held the state give it up; others are attached to it then.
  package func restart() {
    store = StateStore(backend: backend, budget: store.budget, lastCheckpoint: checkpoint)
    states = []
  }

  /// What is there after a snapshot of `target`.
  package func entries(of target: any StreamOperator) throws -> [(key: [UInt8], value: [UInt8])] {
    try snapshot([target])
    return try entries()
  }

  /// All entries, in key order.
  package func entries() throws -> [(key: [UInt8], value: [UInt8])] {
    var entries: [(key: [UInt8], value: [UInt8])] = []
    let all = [UInt8](repeating: 0xFF, count: 64)
    let cursor = try backend.makeCursor(family: TestState.family, from: [], to: all, isSweep: true)
    while cursor.isValid {
      entries.append(([UInt8](cursor.key), [UInt8](cursor.value)))
      cursor.next()
    }
    try cursor.check()
    return entries
  }

  /// Another state, in memory, that holds just these entries.
  package static func holding(_ entries: [(key: [UInt8], value: [UInt8])]) -> TestState {
    let backend = MemoryStateBackend()
    for entry in entries { backend.replace(family: family, key: entry.key, with: entry.value) }
    let state = TestState(backend)
    state.checkpoint = 1
    state.restart()
    return state
  }
}
