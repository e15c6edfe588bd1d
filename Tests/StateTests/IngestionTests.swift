import Foundation
import RocksStore
import StreamModel
import Testing

/// Runs that RocksDB takes over while it has range deletes in its write buffers.
struct IngestionTests {
  /// What happened, in order.
  private final class Journal {
    var entries: [String] = []
    /// Fails the first `count` times with `message`.
    func run(_ message: String, count: Int) throws(RocksError) {
      let retry = IngestionRetry("run-7.sst") { self.entries.append("\($0) ms") }
      try retry.run { () throws(RocksError) in
        entries.append("ingest")
        if entries.count(where: { $0 == "ingest" }) <= count { throw RocksError(message) }
      } flush: { () throws(RocksError) in
        entries.append("flush")
      }
    }
  }

  @Test func whatIsToBeTriedAgain_isFlushedAndTriedAgain() throws {
    let journal = Journal()
    try journal.run("Operation failed. Try again.: ", count: 2)
    #expect(journal.entries == ["ingest", "1 ms", "flush", "ingest", "2 ms", "flush", "ingest"])
  }

  @Test func whatIsAlwaysToBeTriedAgain_failsWithItsPlaceInTheEnd() {
    let journal = Journal()
    let error = #expect(throws: RocksError.self) { try journal.run("Operation failed. Try again.: ", count: .max) }
    #expect(journal.entries.count { $0 == "ingest" } == IngestionRetry.attempts)
    #expect(error?.description == "run-7.sst: not taken over at the 10th attempt: Operation failed. Try again.: ")
  }

  @Test(arguments: [
    "IO error: No space left on device: While appending to file", "Corruption: block checksum mismatch",
    "Invalid argument: External file requires flush", "run-7.sst: Operation failed. Try again.",
  ]) func anotherError_failsAtOnce(_ message: String) {
    let journal = Journal()
    #expect(throws: RocksError(message)) { try journal.run(message, count: 1) }
    #expect(journal.entries == ["ingest"])
  }

  @Test func aFlushThatFails_isWhatFailed() {
    let retry = IngestionRetry("run-7.sst") { _ in }
    #expect(throws: RocksError("IO error")) {
      try retry.run { () throws(RocksError) in
        throw RocksError(RocksError.tryAgain)
      } flush: { () throws(RocksError) in
        throw RocksError("IO error")
      }
    }
  }

  /// Several threads add runs across the ranges that others delete, while another takes checkpoints: each sees its own run, and
  /// nothing that it had deleted before.
  @Test func runsThatOverlapWithRangeDeletesOfOthers_areTakenOver() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("weir-rocks-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let database = try RocksDatabase(
      directory: folder.path + "/db", families: ["a": .lookups, "b": .sweeps],
      limits: RocksLimits(blockCacheBytes: 1 << 20, writeBufferBytes: 1 << 20))
    let writers: UInt8 = 6
    let rounds = UInt8(10)
    let faults = Guarded([String]())
    DispatchQueue.concurrentPerform(iterations: Int(writers) + 1) { index in
      do {
        for round in 1...rounds {
          if index == writers {
            try database.checkpoint(to: "\(folder.path)/checkpoint-\(round)")
          } else {
            try IngestionTests.replace(UInt8(index), round, database, folder)
          }
        }
      } catch { faults.withLock { $0.append("\(index): \(error)") } }
    }
    #expect(faults.withLock { $0 } == [])
    for writer in 0..<writers {
      let found = try database.get(
        family: writer % 2 == 0 ? "a" : "b",
        keys: [[0, writer, rounds - 1], [0, writer, rounds], [1, writer]])
      #expect(found == [nil, [rounds], [rounds]])
    }
  }

  /// Deletes what `writer` has under `[0]`, and adds an entry there and one under `[1]`: the run spans what all others delete.
  private static func replace(
    _ writer: UInt8, _ round: UInt8, _ database: RocksDatabase, _ folder: URL
  ) throws(RocksError) {
    let family = writer % 2 == 0 ? "a" : "b"
    try database.deleteRange(family: family, from: [0, writer], to: [0, writer + 1])
    let path = "\(folder.path)/run-\(writer)-\(round).sst"
    let run = try database.makeRunWriter(family: family, path: path)
    for key in [[0, writer, round], [1, writer]] {
      let result = key.withUnsafeBytes { key in
        [round].withUnsafeBytes { value in
          Result { () throws(RocksError) in try run.put(key, value) }
        }
      }
      try result.get()
    }
    try run.finish()
    try database.ingest(path, family: family)
  }
}
