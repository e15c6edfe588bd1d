import Foundation
import State
import Testing
import TestSupport

struct StateStoreTests {
  @Test func aStoreThatNobodyHolds_isGone_closedOrNot() throws {
    weak var store: StateStore?
    weak var backend: MemoryStateBackend?
    do {
      let memory = MemoryStateBackend()
      let opened = StateStore(backend: memory, budget: StateBudget(limitBytes: 1 << 30))
      (store, backend) = (opened, memory)
      for family in ["sums", "keys"] {
        let state = opened.open(family: family, keyGroups: 0..<128)
        try state.addRun { (run) throws(StateError) in try run.put([1], [2]) }
        state.deleteRange(from: [3], to: [4])
      }
      #expect(store != nil && backend != nil)
    }
    #expect(store == nil && backend == nil)
  }

  /// A start that fails after some operators have their state is tried again, on the same directory.
  @Test func aDatabaseWhoseStoreWasNeverClosed_canBeOpenedAgain() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-state-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    for attempt in UInt8(1)...3 {
      let backend = try RocksStateBackend(
        directory: folder.path, families: ["sums": .lookups], blockCacheBytes: 1 << 20, writeBufferBytes: 1 << 20,
        isRestored: attempt > 1)
      let store = StateStore(backend: backend, budget: StateBudget(limitBytes: 1 << 30))
      let state = store.open(family: "sums", keyGroups: 0..<128)
      try state.addRun { (run) throws(StateError) in try run.put([attempt], [attempt]) }
      let found = try state.get((1...attempt).map { [$0] })
      #expect(found == (1...attempt).map { [$0] })
    }
  }
}
