import Checkpoint
import Foundation
import State
import StreamModel
import Testing

struct CheckpointStorageTests {
  static var counters: CheckpointManifest.Counters {
    var count = CheckpointManifest.NodeCount(name: "once", kind: "deduplicate")
    count.rowsIn = 7
    count.rowsOut = 5
    count.ports = [.init(name: "duplicates", rows: 2)]
    return .init(since: 4, nodes: [count])
  }

  static func manifest(_ id: Int64) -> CheckpointManifest {
    var manifest = CheckpointManifest(
      id: id, topology: "t", createdAt: 5, isComplete: false,
      sources: [
        .init(name: "s", positions: [.init(partition: "p", offset: 17, isAtEnd: true)], watermarks: [1, 2, 3])
      ],
      operators: [
        .init(
          step: "hourly", role: "aggregate", signature: "x", watermark: -4, sizeBytes: 70, entryCount: 3)
      ], parts: [.init(sink: "out", pendingPath: "a", finalPath: "b", rows: 3)],
      files: [.init(name: "000012.sst", sizeBytes: 70, checksum: .max)], counters: counters)
    manifest.droppedStates = [.init(step: "daily", checkpoint: 2, sizeBytes: 9, entryCount: 1)]
    return manifest
  }

  static func withFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-ckpt-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder + "/deep/er")
  }

  private func write(_ storage: CheckpointStorage, _ id: Int64) throws {
    _ = try storage.prepare(id)
    try storage.commit(Self.manifest(id))
  }

  @Test func whatIsWritten_isReadBack() throws {
    try Self.withFolder { folder in
      let storage = try CheckpointStorage(directory: folder)
      try self.write(storage, 3)
      #expect(try storage.list() == [3])
      #expect(try storage.read(3) == Self.manifest(3))
    }
  }

  /// Before version 4 there was no list of dropped state; before version 5 no state of several groups in an entry.
  @Test(arguments: [3, 4] as [UInt8])
  func aManifestOfAnEarlierVersion_isRead(_ version: UInt8) throws {
    try Self.withFolder { folder in
      let storage = try CheckpointStorage(directory: folder)
      var manifest = Self.manifest(1)
      manifest.droppedStates = []
      _ = try storage.prepare(1)
      try storage.commit(manifest)
      let file = URL(fileURLWithPath: storage.path(of: 1) + "/manifest")
      var bytes = [UInt8](try Data(contentsOf: file).dropLast(8))
      #expect(bytes[8] == 5 && bytes.last == 0)
      bytes[8] = version
      if version == 3 { bytes.removeLast() }
      let hash = bytes.withUnsafeBytes { KeyEncoder.hash($0) }
      try Data(bytes + withUnsafeBytes(of: hash.littleEndian) { Array($0) }).write(to: file)
      #expect(try storage.read(1) == manifest)
    }
  }

  @Test func everySingleFlippedBitAndEveryCut_isRefused() throws {
    try Self.withFolder { folder in
      let storage = try CheckpointStorage(directory: folder)
      try self.write(storage, 1)
      let whole = [UInt8](try Data(contentsOf: URL(fileURLWithPath: storage.path(of: 1) + "/manifest")))
      for position in whole.indices {
        for bit in 0..<8 {
          var damaged = whole
          damaged[position] ^= 1 << UInt8(bit)
          try Data(damaged).write(to: URL(fileURLWithPath: storage.path(of: 1) + "/manifest"))
          #expect(throws: CheckpointError.self, "bit \(bit) of byte \(position)") { try storage.read(1) }
        }
        try Data(whole.prefix(position)).write(to: URL(fileURLWithPath: storage.path(of: 1) + "/manifest"))
        #expect(throws: CheckpointError.self, "cut at \(position)") { try storage.read(1) }
      }
    }
  }

  @Test func onlyTheNewestAreRetained() throws {
    try Self.withFolder { folder in
      let storage = try CheckpointStorage(directory: folder)
      for id in 1...12 as ClosedRange<Int64> { try self.write(storage, id) }
      try storage.retain(3)
      #expect(try storage.list() == [10, 11, 12])
    }
  }

  @Test func aDirectoryHasOneOwner() throws {
    try Self.withFolder { folder in
      let first = try CheckpointStorage(directory: folder)
      #expect(throws: CheckpointError.self) { try CheckpointStorage(directory: folder) }
      try self.write(first, 1)
    }
  }
}
