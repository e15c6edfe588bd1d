import CRocksDB

/// What a database held at one moment, whatever is added afterwards. Any thread may read it; it keeps the database open.
///
/// https://github.com/facebook/rocksdb/wiki/Snapshot
/// Invariant for `Sendable`: the handle is set in `init` and released in `deinit`; RocksDB reads by it from any thread.
package final class RocksSnapshot: @unchecked Sendable {
  private let database: RocksDatabase
  let handle: OpaquePointer?

  package init(of database: RocksDatabase) {
    self.database = database
    handle = rocksdb_create_snapshot(database.handle)
  }

  deinit { rocksdb_release_snapshot(database.handle, handle) }

  /// The value of `key`; nil where it was not there.
  package func get(family: String, key: [UInt8]) throws(RocksError) -> [UInt8]? {
    let options = rocksdb_readoptions_create()
    defer { rocksdb_readoptions_destroy(options) }
    rocksdb_readoptions_set_snapshot(options, handle)
    let found = try RocksError.checked { error in
      key.withChars {
        rocksdb_get_pinned_cf(
          database.handle, options, database.family(family), $0.baseAddress, $0.count, error)
      }
    }
    guard let found else { return nil }
    defer { rocksdb_pinnableslice_destroy(found) }
    var length = 0
    guard let start = rocksdb_pinnableslice_value(found, &length) else { return [] }
    return [UInt8](UnsafeRawBufferPointer(start: start, count: length))
  }

  /// A cursor over the entries in `[from, to)`, in key order.
  package func makeCursor(family: String, from: [UInt8], to: [UInt8]) throws(RocksError) -> RocksCursor {
    let cursor = RocksCursor(
      database: database, database.family(family), upperBound: to, isSweep: false, snapshot: self)
    cursor.seek(from)
    try cursor.check()
    return cursor
  }
}
