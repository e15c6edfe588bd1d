import CRocksDB
import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// A RocksDB database without a log: what is not in a checkpoint is lost with the process, which is meant.
///
/// Data comes in as sorted runs (SST files, `RocksRunWriter`) and goes by range deletes; it is read by key or swept in key order;
/// checkpoints are hard links. https://github.com/facebook/rocksdb/wiki/Creating-and-Ingesting-SST-files
///
/// Invariant for `Sendable`: the handles are set in `init` and destroyed in `deinit`; RocksDB's functions may be called on
/// them from any thread.
package final class RocksDatabase: @unchecked Sendable {
  package let directory: String
  private let options: RocksOptions
  let handle: OpaquePointer
  private let families: [String: OpaquePointer]
  private let kinds: [String: RocksFamilyKind]
  private let writeOptions: OpaquePointer
  private let ingestOptions: OpaquePointer
  private let readOptions: OpaquePointer
  private let environment: OpaquePointer

  /// Opens the database in `directory`, made where there is none, with these column families; others that it has are dropped.
  package init(
    directory: String, families wanted: [String: RocksFamilyKind], limits: RocksLimits
  ) throws(RocksError) {
    self.directory = directory
    let options = RocksOptions(limits)
    let known = RocksDatabase.familyNames(in: directory, options)
    let names = Set(known).union(wanted.keys).subtracting(["default"]).sorted()
    let all = ["default"] + names
    let familyOptions = all.map { Optional(options.family(wanted[$0] ?? .sweeps)) }
    var handles = [OpaquePointer?](repeating: nil, count: all.count)
    let opened = try RocksError.checked { error in
      withCStrings(all) { names in
        rocksdb_open_column_families(
          options.database, directory, Int32(all.count), names, familyOptions, &handles, error)
      }
    }
    guard let opened else { throw RocksError("\(directory): RocksDB gives no database") }
    handle = opened
    self.options = options
    var byName: [String: OpaquePointer] = [:]
    for (name, family) in zip(all, handles) { if let family { byName[name] = family } }
    writeOptions = rocksdb_writeoptions_create()
    rocksdb_writeoptions_disable_WAL(writeOptions, 1)
    ingestOptions = rocksdb_ingestexternalfileoptions_create()
    rocksdb_ingestexternalfileoptions_set_move_files(ingestOptions, 1)
    readOptions = rocksdb_readoptions_create()
    environment = rocksdb_envoptions_create()
    kinds = wanted
    families = byName
    for name in names where wanted[name] == nil {
      guard let family = byName[name] else { continue }
      try RocksError.checked { error in rocksdb_drop_column_family(opened, family, error) }
    }
  }

  deinit {
    for family in families.values { rocksdb_column_family_handle_destroy(family) }
    rocksdb_close(handle)
    rocksdb_writeoptions_destroy(writeOptions)
    rocksdb_ingestexternalfileoptions_destroy(ingestOptions)
    rocksdb_readoptions_destroy(readOptions)
    rocksdb_envoptions_destroy(environment)
  }

  /// The column families that are there; empty where there is no database yet.
  private static func familyNames(in directory: String, _ options: RocksOptions) -> [String] {
    var count = 0
    var message: UnsafeMutablePointer<CChar>?
    let names = rocksdb_list_column_families(options.database, directory, &count, &message)
    if let message { rocksdb_free(message) }
    guard let names else { return [] }
    defer { rocksdb_list_column_families_destroy(names, count) }
    return (0..<count).compactMap { names[$0].map { String(cString: $0) } }
  }

  func family(_ name: String) -> OpaquePointer {
    guard let family = families[name] else { preconditionFailure("column family \(name) was not opened") }
    return family
  }

  /// A writer of a sorted run for `family`, into a new file at `path`.
  package func makeRunWriter(family: String, path: String) throws(RocksError) -> RocksRunWriter {
    try RocksRunWriter(options: options.family(kinds[family] ?? .sweeps), environment: environment, path: path)
  }

  /// Takes over the finished run at `path`: its entries are newer than all that is there.
  package func ingest(_ path: String, family name: String) throws(RocksError) {
    try IngestionRetry(path).run { () throws(RocksError) in
      try takeOver(path, family: name)
    } flush: { () throws(RocksError) in
      try flush(family: name)
    }
  }

  private func takeOver(_ path: String, family name: String) throws(RocksError) {
    if FaultPoint.fails("state-ingest") {
      throw errno == EAGAIN ? RocksError(RocksError.tryAgain) : RocksError(system: "\(path): cannot be taken over")
    }
    try RocksError.checked { error in
      withCStrings([path]) { rocksdb_ingest_external_file_cf(handle, family(name), $0, 1, ingestOptions, error) }
    }
  }

  /// Writes out what a family has in its write buffers.
  private func flush(family name: String) throws(RocksError) {
    let options = rocksdb_flushoptions_create()
    defer { rocksdb_flushoptions_destroy(options) }
    try RocksError.checked { rocksdb_flush_cf(handle, options, family(name), $0) }
  }

  /// Deletes the keys in `[from, to)`.
  package func deleteRange(family name: String, from: [UInt8], to: [UInt8]) throws(RocksError) {
    try RocksError.checked { error in
      from.withChars { start in
        to.withChars { end in
          rocksdb_delete_range_cf(
            handle, writeOptions, family(name), start.baseAddress, start.count, end.baseAddress, end.count, error)
        }
      }
    }
  }

  /// The values of `keys`, which ascend; nil for those that are not there. One batch: filters and blocks are read once for
  /// neighbouring keys. https://github.com/facebook/rocksdb/wiki/MultiGet-Performance
  package func get(family name: String, keys: [[UInt8]]) throws(RocksError) -> [[UInt8]?] {
    if keys.isEmpty { return [] }
    var bytes: [CChar] = []
    bytes.reserveCapacity(keys.reduce(0) { $0 + $1.count })
    for key in keys { key.withChars { bytes.append(contentsOf: $0) } }
    var sizes = keys.map(\.count)
    var values = [OpaquePointer?](repeating: nil, count: keys.count)
    var errors = [UnsafeMutablePointer<CChar>?](repeating: nil, count: keys.count)
    bytes.withUnsafeBufferPointer { bytes in
      var start = 0
      var pointers: [UnsafePointer<CChar>?] = sizes.map { size in
        defer { start += size }
        return bytes.baseAddress.map { $0 + start }
      }
      rocksdb_batched_multi_get_cf(
        handle, readOptions, family(name), keys.count, &pointers, &sizes, &values, &errors, true)
    }
    var failure: String?
    let results = keys.indices.map { index -> [UInt8]? in
      if let message = errors[index] {
        failure = failure ?? String(cString: message)
        rocksdb_free(message)
      }
      guard let value = values[index] else { return nil }
      defer { rocksdb_pinnableslice_destroy(value) }
      var length = 0
      guard let start = rocksdb_pinnableslice_value(value, &length) else { return [] }
      return [UInt8](UnsafeRawBufferPointer(start: start, count: length))
    }
    if let failure { throw RocksError(failure) }
    return results
  }

  /// A cursor over the entries in `[from, to)`, in key order. `isSweep`: most of them will be read, once.
  package func makeCursor(
    family name: String, from: [UInt8], to: [UInt8], isSweep: Bool
  ) throws(RocksError) -> RocksCursor {
    let cursor = RocksCursor(database: self, family(name), upperBound: to, isSweep: isSweep)
    cursor.seek(from)
    try cursor.check()
    return cursor
  }

  /// Makes everything durable as hard links in `directory`, which is made and must not exist.
  package func checkpoint(to directory: String) throws(RocksError) {
    let checkpoint = try RocksError.checked { rocksdb_checkpoint_object_create(handle, $0) }
    defer { rocksdb_checkpoint_object_destroy(checkpoint) }
    try RocksError.checked { rocksdb_checkpoint_create(checkpoint, directory, 0, $0) }
    if FaultPoint.fails("state-checkpoint") { throw RocksError(system: "\(directory): cannot be linked") }
  }

  /// Bytes of the files of a family, and an estimate of its entries.
  package func size(family name: String) -> (bytes: Int, entries: Int) {
    (property("rocksdb.total-sst-files-size", name), property("rocksdb.estimate-num-keys", name))
  }

  /// Bytes that the database holds in memory: write buffers, block cache, tables.
  package var memoryBytes: Int {
    property("rocksdb.block-cache-usage", "default")
      + families.keys.reduce(0) {
        $0 + property("rocksdb.cur-size-all-mem-tables", $1) + property("rocksdb.estimate-table-readers-mem", $1)
      }
  }

  private func property(_ property: String, _ name: String) -> Int {
    var value: UInt64 = 0
    return rocksdb_property_int_cf(handle, family(name), property, &value) == 0 ? Int(value) : 0
  }
}

extension [UInt8] {
  /// The bytes as RocksDB's C API takes them.
  func withChars<Result>(_ body: (UnsafeBufferPointer<CChar>) -> Result) -> Result {
    withUnsafeBytes { body($0.bindMemory(to: CChar.self)) }
  }
}

/// Calls `body` with `texts` as C strings, valid during the call.
private func withCStrings<Result>(
  _ texts: [String], _ body: (UnsafePointer<UnsafePointer<CChar>?>) -> Result
) -> Result {
  let strings = texts.map { Array($0.utf8CString) }
  var flat: [CChar] = []
  var starts: [Int] = []
  for string in strings {
    starts.append(flat.count)
    flat.append(contentsOf: string)
  }
  return flat.withUnsafeBufferPointer { buffer in
    let pointers = starts.map { start in buffer.baseAddress.map { UnsafePointer($0 + start) } }
    return pointers.withUnsafeBufferPointer { pointers in
      guard let base = pointers.baseAddress else { preconditionFailure("no strings") }
      return body(base)
    }
  }
}
