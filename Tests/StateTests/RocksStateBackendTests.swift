import Foundation
import State
import Testing

struct RocksStateBackendTests {
  @Test func aRunThatCannotBeOpened_isAnError_eachTime() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-state-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let backend = try RocksStateBackend(
      directory: folder.path, families: ["sums": .sweeps], blockCacheBytes: 1 << 20, writeBufferBytes: 1 << 20,
      isRestored: false)
    _ = try backend.makeRun(family: "sums")
    try FileManager.default.removeItem(at: folder)
    for _ in 0..<100 { #expect(throws: StateError.self) { try backend.makeRun(family: "sums") } }
  }
}
