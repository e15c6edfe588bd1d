/// Writes a sorted run of entries: keys ascend, each comes once. One owner.
package protocol StateRunWriter: AnyObject {
  func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError)
  func delete(_ key: UnsafeRawBufferPointer) throws(StateError)
  /// Makes the run durable. The writer is used no more.
  func finish() throws(StateError) -> StateRun
}

extension StateRunWriter {
  package func delete(_ key: [UInt8]) throws(StateError) {
    var failure: StateError?
    key.withUnsafeBytes { key in
      do throws(StateError) { try delete(key) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  package func put(_ key: [UInt8], _ value: [UInt8]) throws(StateError) {
    var failure: StateError?
    key.withUnsafeBytes { key in
      value.withUnsafeBytes { value in
        do throws(StateError) { try put(key, value) } catch { failure = error }
      }
    }
    if let failure { throw failure }
  }
}

/// A finished run that its backend has yet to take over, by the name the backend gave it.
package struct StateRun: Sendable, Hashable {
  package let name: String
  package init(name: String) { self.name = name }
}

/// Reads entries in key order. One owner; `key` and `value` are valid until the next `next`.
package protocol StateCursor: AnyObject {
  var isValid: Bool { get }
  var key: UnsafeRawBufferPointer { get }
  var value: UnsafeRawBufferPointer { get }
  func next()
  /// Goes to the first entry at or after `key`.
  func seek(_ key: [UInt8])
  /// Throws what stopped the cursor, if it was not the end.
  func check() throws(StateError)
}

/// How a family is read.
package enum StateAccess: Sendable, Equatable {
  /// In key order only.
  case sweeps
  /// By key as well.
  case lookups
}

/// Where keyed state lies beyond memory: ordered tables of bytes, called families, one an operator.
///
/// Data comes in as sorted runs, a later one in the place of an earlier, and goes by range deletes. Methods may be called
/// from any thread, those that change a family by one at a time.
package protocol StateBackend: AnyObject, Sendable {
  func makeRun(family: String) throws(StateError) -> any StateRunWriter
  /// Takes over `run`: its entries are newer than all that are there.
  func ingest(_ run: StateRun, family: String) throws(StateError)
  /// Deletes the keys in `[from, to)`.
  func deleteRange(family: String, from: [UInt8], to: [UInt8]) throws(StateError)
  /// The values of `keys`, which ascend; nil for those that are not there.
  func get(family: String, keys: [[UInt8]]) throws(StateError) -> [[UInt8]?]
  /// A cursor over the entries in `[from, to)` as they are now. `isSweep`: most of them will be read, once.
  func makeCursor(family: String, from: [UInt8], to: [UInt8], isSweep: Bool) throws(StateError) -> any StateCursor
  /// Makes everything durable in `directory`, which must not exist; it is made unless there never was anything.
  func checkpoint(to directory: String) throws(StateError)
  /// Bytes of a family where it is stored, and about how many entries it has.
  func size(family: String) -> (bytes: Int, entries: Int)
  /// Bytes held in memory.
  var memoryBytes: Int { get }
  /// What all families hold now, for readers on other threads, whatever changes afterwards.
  func makeReader() -> any StateSnapshotReader
}

/// A backend's entries as they were at one moment. Any thread may read; while it is there, the backend is.
package protocol StateSnapshotReader: AnyObject, Sendable {
  /// The value of `key`; nil where it is not there.
  func get(family: String, key: [UInt8]) throws(StateError) -> [UInt8]?
  /// A cursor over the entries in `[from, to)`.
  func makeCursor(family: String, from: [UInt8], to: [UInt8]) throws(StateError) -> any StateCursor
}
