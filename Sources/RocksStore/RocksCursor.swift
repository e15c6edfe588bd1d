import CRocksDB

/// Reads entries in key order up to a bound. One owner; what `key` and `value` give is valid until the next `next`.
///
/// It sees the database as it was when the cursor was made.
package final class RocksCursor {
  /// Kept, so that the database outlives its iterator.
  private let database: RocksDatabase
  private let snapshot: RocksSnapshot?
  private let iterator: OpaquePointer
  private let options: OpaquePointer
  private let bound: UnsafeMutablePointer<CChar>

  /// `snapshot`: what is read instead of the database as it is now.
  init(
    database: RocksDatabase, _ family: OpaquePointer, upperBound: [UInt8], isSweep: Bool,
    snapshot: RocksSnapshot? = nil
  ) {
    self.database = database
    self.snapshot = snapshot
    bound = .allocate(capacity: max(1, upperBound.count))
    for (index, byte) in upperBound.enumerated() { bound[index] = CChar(bitPattern: byte) }
    options = rocksdb_readoptions_create()
    rocksdb_readoptions_set_iterate_upper_bound(options, bound, upperBound.count)
    if let snapshot { rocksdb_readoptions_set_snapshot(options, snapshot.handle) }
    // Counters of this thread that nobody reads.
    rocksdb_set_perf_level(Int32(rocksdb_disable))
    if isSweep {
      rocksdb_readoptions_set_fill_cache(options, 0)
      rocksdb_readoptions_set_readahead_size(options, 1 << 20)
    }
    iterator = rocksdb_create_iterator_cf(database.handle, options, family)
  }

  deinit {
    rocksdb_iter_destroy(iterator)
    rocksdb_readoptions_destroy(options)
    bound.deallocate()
  }

  /// Whether there is an entry to read.
  package var isValid: Bool { rocksdb_iter_valid(iterator) != 0 }

  package var key: UnsafeRawBufferPointer {
    var length = 0
    let start = rocksdb_iter_key(iterator, &length)
    return UnsafeRawBufferPointer(start: start, count: length)
  }

  package var value: UnsafeRawBufferPointer {
    var length = 0
    let start = rocksdb_iter_value(iterator, &length)
    return UnsafeRawBufferPointer(start: start, count: length)
  }

  package func next() { rocksdb_iter_next(iterator) }

  /// Goes to the first entry at or after `key`.
  package func seek(_ key: [UInt8]) { key.withChars { rocksdb_iter_seek(iterator, $0.baseAddress, $0.count) } }

  /// Throws what stopped the cursor, if it was not the end.
  package func check() throws(RocksError) { try RocksError.checked { rocksdb_iter_get_error(iterator, $0) } }
}
