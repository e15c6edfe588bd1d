import RocksStore
import StreamModel
import Synchronization

/// Keyed state in RocksDB: one database a job, one column family an operator.
package final class RocksStateBackend: StateBackend {
  private let database: RocksDatabase
  private let directory: String
  private let nextRun = Atomic<Int>(0)

  /// Opens the database in `directory`, or makes it; runs are written beside it.
  package init(
    directory: String, families: [String: StateAccess], blockCacheBytes: Int, writeBufferBytes: Int
  ) throws(StateError) {
    self.directory = directory
    let kinds = families.mapValues { $0 == .sweeps ? RocksFamilyKind.sweeps : .lookups }
    do {
      database = try RocksDatabase(
        directory: directory, families: kinds,
        limits: RocksLimits(blockCacheBytes: blockCacheBytes, writeBufferBytes: writeBufferBytes))
    } catch {
      throw .storage(error.description)
    }
  }

  private func attempt<Result>(_ body: () throws(RocksError) -> Result) throws(StateError) -> Result {
    do { return try body() } catch { throw .storage(error.description) }
  }

  package func makeRun(family: String) throws(StateError) -> any StateRunWriter {
    let number = nextRun.add(1, ordering: .relaxed).newValue
    return try attempt { () throws(RocksError) in
      RocksStateRunWriter(try database.makeRunWriter(family: family, path: "\(directory)/run-\(number).sst"))
    }
  }

  package func ingest(_ run: StateRun, family: String) throws(StateError) {
    try attempt { () throws(RocksError) in try database.ingest(run.name, family: family) }
  }

  package func deleteRange(family: String, from: [UInt8], to: [UInt8]) throws(StateError) {
    try attempt { () throws(RocksError) in try database.deleteRange(family: family, from: from, to: to) }
  }

  package func get(family: String, keys: [[UInt8]]) throws(StateError) -> [[UInt8]?] {
    try attempt { () throws(RocksError) in try database.get(family: family, keys: keys) }
  }

  package func makeCursor(
    family: String, from: [UInt8], to: [UInt8], isSweep: Bool
  ) throws(StateError) -> any StateCursor {
    try attempt { () throws(RocksError) in
      RocksStateCursor(try database.makeCursor(family: family, from: from, to: to, isSweep: isSweep))
    }
  }

  package func checkpoint(to directory: String) throws(StateError) {
    try attempt { () throws(RocksError) in try database.checkpoint(to: directory) }
  }

  package func size(family: String) -> (bytes: Int, entries: Int) { database.size(family: family) }

  package var memoryBytes: Int { database.memoryBytes }

  package func makeReader() -> any StateSnapshotReader { RocksStateReader(RocksSnapshot(of: database)) }
}

/// A snapshot of the database.
private final class RocksStateReader: StateSnapshotReader {
  private let snapshot: RocksSnapshot

  init(_ snapshot: RocksSnapshot) { self.snapshot = snapshot }

  func get(family: String, key: [UInt8]) throws(StateError) -> [UInt8]? {
    do { return try snapshot.get(family: family, key: key) } catch { throw .storage(error.description) }
  }

  func makeCursor(family: String, from: [UInt8], to: [UInt8]) throws(StateError) -> any StateCursor {
    do {
      return RocksStateCursor(try snapshot.makeCursor(family: family, from: from, to: to))
    } catch {
      throw .storage(error.description)
    }
  }
}

/// A run that becomes an SST file.
private final class RocksStateRunWriter: StateRunWriter {
  private let writer: RocksRunWriter

  init(_ writer: RocksRunWriter) { self.writer = writer }

  func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError) {
    do { try writer.put(key, value) } catch { throw .storage(error.description) }
  }

  func delete(_ key: UnsafeRawBufferPointer) throws(StateError) {
    do { try writer.delete(key) } catch { throw .storage(error.description) }
  }

  func finish() throws(StateError) -> StateRun {
    do { try writer.finish() } catch { throw .storage(error.description) }
    return StateRun(name: writer.path)
  }
}

private final class RocksStateCursor: StateCursor {
  private let cursor: RocksCursor

  init(_ cursor: RocksCursor) { self.cursor = cursor }

  var isValid: Bool { cursor.isValid }
  var key: UnsafeRawBufferPointer { cursor.key }
  var value: UnsafeRawBufferPointer { cursor.value }
  func next() { cursor.next() }
  func seek(_ key: [UInt8]) { cursor.seek(key) }
  func check() throws(StateError) {
    do { try cursor.check() } catch { throw .storage(error.description) }
  }
}
