import RocksStore
import StreamModel
import Synchronization

/// Keyed state in RocksDB: one database a job, one column family an operator.
///
/// The database is opened when there is something to read in it or to write to it: the many jobs whose state fits into memory
/// and is gone at their end never pay for it.
package final class RocksStateBackend: StateBackend {
  private let directory: String
  private let kinds: [String: RocksFamilyKind]
  private let limits: RocksLimits
  private let opened: Guarded<RocksDatabase?>
  private let nextRun = Atomic<Int>(0)

  /// Keeps state in `directory`, which is there; runs are written beside it.
  /// - Parameters:
  ///   - isRestored: The directory holds a database, which is opened at once.
  ///   - dropped: Families that begin empty although the database may have something in them.
  package init(
    directory: String, families: [String: StateAccess], blockCacheBytes: Int, writeBufferBytes: Int, isRestored: Bool,
    dropped: Set<String> = []
  ) throws(StateError) {
    self.directory = directory
    kinds = families.mapValues { $0 == .sweeps ? RocksFamilyKind.sweeps : .lookups }
    limits = RocksLimits(blockCacheBytes: blockCacheBytes, writeBufferBytes: writeBufferBytes)
    opened = Guarded(nil)
    guard isRestored else { return }
    if !dropped.isEmpty { try drop(dropped) }
    _ = try open()
  }

  /// Takes families with all they hold out of the database: one that is opened without them drops them.
  private func drop(_ families: Set<String>) throws(StateError) {
    do throws(RocksError) {
      _ = try RocksDatabase(directory: directory, families: kinds.filter { !families.contains($0.key) }, limits: limits)
    } catch {
      throw .storage(error.description)
    }
  }

  /// The database, made where there is none yet.
  private func open() throws(StateError) -> RocksDatabase {
    try opened.withLock { (database) throws(StateError) in
      if let database { return database }
      do throws(RocksError) {
        let made = try RocksDatabase(directory: directory, families: kinds, limits: limits)
        database = made
        return made
      } catch {
        throw .storage(error.description)
      }
    }
  }

  /// The database, if there is anything in it.
  private var database: RocksDatabase? { opened.withLock { $0 } }

  private func attempt<Result>(_ body: () throws(RocksError) -> Result) throws(StateError) -> Result {
    do { return try body() } catch { throw .storage(error.description) }
  }

  package func makeRun(family: String) throws(StateError) -> any StateRunWriter {
    let number = nextRun.add(1, ordering: .relaxed).newValue
    let database = try open()
    return try attempt { () throws(RocksError) in
      RocksStateRunWriter(try database.makeRunWriter(family: family, path: "\(directory)/run-\(number).sst"))
    }
  }

  package func ingest(_ run: StateRun, family: String) throws(StateError) {
    let database = try open()
    try attempt { () throws(RocksError) in try database.ingest(run.name, family: family) }
  }

  package func deleteRange(family: String, from: [UInt8], to: [UInt8]) throws(StateError) {
    guard let database else { return }
    try attempt { () throws(RocksError) in try database.deleteRange(family: family, from: from, to: to) }
  }

  package func get(family: String, keys: [[UInt8]]) throws(StateError) -> [[UInt8]?] {
    guard let database else { return keys.map { _ in nil } }
    return try attempt { () throws(RocksError) in try database.get(family: family, keys: keys) }
  }

  package func makeCursor(
    family: String, from: [UInt8], to: [UInt8], isSweep: Bool
  ) throws(StateError) -> any StateCursor {
    guard let database else { return NoRows() }
    return try attempt { () throws(RocksError) in
      RocksStateCursor(try database.makeCursor(family: family, from: from, to: to, isSweep: isSweep))
    }
  }

  package func checkpoint(to directory: String) throws(StateError) {
    guard let database else { return }
    try attempt { () throws(RocksError) in try database.checkpoint(to: directory) }
  }

  package func size(family: String) -> (bytes: Int, entries: Int) { database?.size(family: family) ?? (0, 0) }

  package var memoryBytes: Int { database?.memoryBytes ?? 0 }

  package func makeReader() -> any StateSnapshotReader {
    RocksStateReader(database.map { RocksSnapshot(of: $0) })
  }
}

/// A snapshot of the database; nil where there was nothing in it.
private final class RocksStateReader: StateSnapshotReader {
  private let snapshot: RocksSnapshot?

  init(_ snapshot: RocksSnapshot?) { self.snapshot = snapshot }

  func get(family: String, key: [UInt8]) throws(StateError) -> [UInt8]? {
    do { return try snapshot?.get(family: family, key: key) } catch { throw .storage(error.description) }
  }

  func makeCursor(family: String, from: [UInt8], to: [UInt8]) throws(StateError) -> any StateCursor {
    guard let snapshot else { return NoRows() }
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

/// A cursor over a database that has nothing yet.
private final class NoRows: StateCursor {
  var isValid: Bool { false }
  var key: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
  var value: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: nil, count: 0) }
  func next() {}
  func seek(_ key: [UInt8]) {}
  func check() throws(StateError) {}
}
