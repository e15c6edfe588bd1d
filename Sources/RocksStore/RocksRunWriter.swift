import CRocksDB
import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// Writes a sorted run: an SST file whose keys were put in ascending order, each once. One owner.
///
/// `finish` makes the file durable; `RocksDatabase.ingest` then takes it over.
package final class RocksRunWriter {
  private let writer: OpaquePointer
  package let path: String

  init(options: OpaquePointer, environment: OpaquePointer, path: String) throws(RocksError) {
    self.path = path
    rocksdb_set_perf_level(Int32(rocksdb_disable))
    writer = rocksdb_sstfilewriter_create(environment, options)
    // Where this throws `deinit` runs all the same: everything has been set.
    try RocksError.checked { rocksdb_sstfilewriter_open(writer, path, $0) }
  }

  deinit { rocksdb_sstfilewriter_destroy(writer) }

  /// Adds an entry; `key` is greater than the last one.
  package func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(RocksError) {
    var message: UnsafeMutablePointer<CChar>?
    rocksdb_sstfilewriter_put(
      writer, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count,
      value.baseAddress?.assumingMemoryBound(to: CChar.self), value.count, &message)
    if let message { try fail(message) }
  }

  /// Adds a deletion of `key`, which is greater than the last one.
  package func delete(_ key: UnsafeRawBufferPointer) throws(RocksError) {
    var message: UnsafeMutablePointer<CChar>?
    rocksdb_sstfilewriter_delete(writer, key.baseAddress?.assumingMemoryBound(to: CChar.self), key.count, &message)
    if let message { try fail(message) }
  }

  private func fail(_ message: UnsafeMutablePointer<CChar>) throws(RocksError) {
    defer { rocksdb_free(message) }
    throw RocksError("\(path): \(String(cString: message))")
  }

  /// Writes the rest and makes the file durable.
  package func finish() throws(RocksError) {
    try RocksError.checked { rocksdb_sstfilewriter_finish(writer, $0) }
    if FaultPoint.fails("state-write") { throw tornWrite() }
    if FaultPoint.fails("state-sync") { throw RocksError(system: "\(path): cannot be made durable") }
  }

  /// Leaves half of the file, as a write would that stopped there. `errno` says why it did.
  private func tornWrite() -> RocksError {
    let error = RocksError(system: "\(path): cannot be written")
    var status = stat()
    if stat(path, &status) == 0 { truncate(path, status.st_size / 2) }
    return error
  }
}
