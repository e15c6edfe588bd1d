import CRocksDB

/// How one column family is read, which decides how it is laid out.
package enum RocksFamilyKind: Sendable, Equatable {
  /// Written in sorted runs, read by sweeps in key order: no filters, and runs are left apart for long, since a sweep merges them.
  case sweeps
  /// Read by key as well: Bloom filters, partitioned so that their blocks fit the cache, and runs merged early.
  case lookups
}

/// What a database may use.
package struct RocksLimits: Sendable, Equatable {
  /// Block cache, with index and filter blocks, in bytes.
  package let blockCacheBytes: Int
  /// Write buffers of all column families together, in bytes.
  package let writeBufferBytes: Int

  package init(blockCacheBytes: Int, writeBufferBytes: Int) {
    self.blockCacheBytes = blockCacheBytes
    self.writeBufferBytes = writeBufferBytes
  }
}

/// The options of a database and of its column families, as C objects with one owner.
///
/// Thread-safe once made: RocksDB copies what it needs when a database is opened.
final class RocksOptions {
  let database: OpaquePointer
  private let cache: OpaquePointer
  private let sweeps: OpaquePointer
  private let lookups: OpaquePointer

  /// Above every level there is (`NUM_INFO_LOG_LEVELS` in rocksdb/env.h). RocksDB's own log lies beside the data: on a full disk it
  /// cannot be written either, and where RocksDB is built with assertions, as Debian's is, the next line of it after one that
  /// failed ends the process. What goes wrong is said by the calls that fail.
  private static let noLogLevel: Int32 = 6

  init(_ limits: RocksLimits) {
    cache = rocksdb_cache_create_lru(limits.blockCacheBytes)
    database = rocksdb_options_create()
    rocksdb_options_set_create_if_missing(database, 1)
    rocksdb_options_set_create_missing_column_families(database, 1)
    rocksdb_options_set_db_write_buffer_size(database, limits.writeBufferBytes)
    rocksdb_options_set_max_background_jobs(database, 2)
    rocksdb_options_set_info_log_level(database, RocksOptions.noLogLevel)
    rocksdb_options_set_keep_log_file_num(database, 1)
    rocksdb_options_set_stats_dump_period_sec(database, 0)
    rocksdb_options_set_stats_persist_period_sec(database, 0)
    rocksdb_options_set_skip_stats_update_on_db_open(database, 1)
    sweeps = RocksOptions.family(.sweeps, cache, limits)
    lookups = RocksOptions.family(.lookups, cache, limits)
  }

  deinit {
    rocksdb_options_destroy(database)
    rocksdb_options_destroy(sweeps)
    rocksdb_options_destroy(lookups)
    rocksdb_cache_destroy(cache)
  }

  func family(_ kind: RocksFamilyKind) -> OpaquePointer { kind == .sweeps ? sweeps : lookups }

  private static func family(_ kind: RocksFamilyKind, _ cache: OpaquePointer, _ limits: RocksLimits) -> OpaquePointer {
    guard let options = rocksdb_options_create(), let table = rocksdb_block_based_options_create() else {
      preconditionFailure("RocksDB gives options")
    }
    rocksdb_block_based_options_set_block_cache(table, cache)
    rocksdb_block_based_options_set_block_size(table, 16 << 10)
    rocksdb_block_based_options_set_format_version(table, 5)
    rocksdb_block_based_options_set_cache_index_and_filter_blocks(table, 1)
    rocksdb_block_based_options_set_cache_index_and_filter_blocks_with_high_priority(table, 1)
    rocksdb_block_based_options_set_index_type(
      table, Int32(rocksdb_block_based_table_index_type_two_level_index_search))
    rocksdb_block_based_options_set_pin_top_level_index_and_filter(table, 1)
    if kind == .lookups {
      rocksdb_block_based_options_set_filter_policy(table, rocksdb_filterpolicy_create_bloom_full(10))
      rocksdb_block_based_options_set_partition_filters(table, 1)
    }
    rocksdb_options_set_block_based_table_factory(options, table)
    rocksdb_block_based_options_destroy(table)
    rocksdb_options_set_compression(options, Int32(rocksdb_lz4_compression))
    rocksdb_options_set_write_buffer_size(options, max(1 << 20, limits.writeBufferBytes / 4))
    rocksdb_options_set_level0_file_num_compaction_trigger(options, kind == .sweeps ? 256 : 8)
    // For sweeps the number of runs decides, not their size: each is read once, and merging them costs as much as sweeping.
    if kind == .sweeps { rocksdb_options_set_max_bytes_for_level_base(options, 1 << 40) }
    // Runs are added, not written: stalling a writer would not slow them down.
    rocksdb_options_set_level0_slowdown_writes_trigger(options, 1 << 20)
    rocksdb_options_set_level0_stop_writes_trigger(options, 1 << 20)
    rocksdb_options_set_soft_pending_compaction_bytes_limit(options, 0)
    rocksdb_options_set_hard_pending_compaction_bytes_limit(options, 0)
    return options
  }
}
