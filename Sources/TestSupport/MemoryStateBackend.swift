#if canImport(Glibc)
  import Glibc
#endif
import State
import StreamModel

/// A state backend in memory: slow and obvious, to be compared with, and for tests that restore at every pause.
///
/// It traps where an operator breaks the contract of runs: keys that do not ascend.
package final class MemoryStateBackend: StateBackend {
  fileprivate struct Entry: Sendable {
    let key: [UInt8]
    let value: [UInt8]?
  }

  fileprivate struct Content {
    /// In key order.
    var families: [String: [Entry]] = [:]
    var runs: [StateRun: [Entry]] = [:]
    var entriesWritten = 0
  }

  private let content = Guarded(Content())

  package init() {}

  /// Entries of all runs so far.
  package var entriesWritten: Int { content.withLock { $0.entriesWritten } }

  /// All entries of a family, in key order.
  package func entries(family: String) -> [(key: [UInt8], value: [UInt8])] {
    content.withLock { $0.families[family] ?? [] }.map { ($0.key, $0.value ?? []) }
  }

  /// Puts an entry past all operators, as damage would.
  package func replace(family: String, key: [UInt8], with value: [UInt8]?) {
    content.withLock { $0.families[family, default: []].merge([Entry(key: key, value: value)]) }
  }

  package func makeRun(family: String) throws(StateError) -> any StateRunWriter { MemoryRunWriter(self) }

  fileprivate func keep(_ entries: [Entry]) -> StateRun {
    content.withLock { content in
      let run = StateRun(name: "\(content.runs.count)")
      content.runs[run] = entries
      content.entriesWritten += entries.count
      return run
    }
  }

  package func ingest(_ run: StateRun, family: String) throws(StateError) {
    content.withLock { content in
      content.families[family, default: []].merge(content.runs[run] ?? [])
      content.runs[run] = []
    }
  }

  package func deleteRange(family: String, from: [UInt8], to: [UInt8]) throws(StateError) {
    content.withLock { content in
      guard let range = content.families[family]?.range(from: from, to: to) else { return }
      content.families[family]?.removeSubrange(range)
    }
  }

  package func get(family: String, keys: [[UInt8]]) throws(StateError) -> [[UInt8]?] {
    for (key, next) in zip(keys, keys.dropFirst()) { precondition(key.isBefore(next), "keys to get ascend") }
    return content.withLock { content in
      let entries = content.families[family] ?? []
      return keys.map { key in
        let place = entries.place(of: key)
        return place < entries.count && entries[place].key == key ? entries[place].value : nil
      }
    }
  }

  package func makeCursor(
    family: String, from: [UInt8], to: [UInt8], isSweep: Bool
  ) throws(StateError) -> any StateCursor {
    let entries = content.withLock { $0.families[family] ?? [] }
    return MemoryCursor(Array(entries[entries.range(from: from, to: to)]))
  }

  package func checkpoint(to directory: String) throws(StateError) {}

  package func size(family: String) -> (bytes: Int, entries: Int) {
    let entries = entries(family: family)
    return (entries.reduce(0) { $0 + $1.key.count + $1.value.count }, entries.count)
  }

  package var memoryBytes: Int { 0 }

  package func makeReader() -> any StateSnapshotReader { MemoryReader(content.withLock { $0.families }) }
}

private final class MemoryReader: StateSnapshotReader {
  private let families: [String: [MemoryStateBackend.Entry]]

  init(_ families: [String: [MemoryStateBackend.Entry]]) { self.families = families }

  func get(family: String, key: [UInt8]) throws(StateError) -> [UInt8]? {
    let entries = families[family] ?? []
    let place = entries.place(of: key)
    return place < entries.count && entries[place].key == key ? entries[place].value : nil
  }

  func makeCursor(family: String, from: [UInt8], to: [UInt8]) throws(StateError) -> any StateCursor {
    let entries = families[family] ?? []
    return MemoryCursor(Array(entries[entries.range(from: from, to: to)]))
  }
}

private final class MemoryRunWriter: StateRunWriter {
  private let backend: MemoryStateBackend
  private var entries: [MemoryStateBackend.Entry] = []

  init(_ backend: MemoryStateBackend) { self.backend = backend }

  private func add(_ key: UnsafeRawBufferPointer, _ value: [UInt8]?) {
    let key = [UInt8](key)
    if let last = entries.last { precondition(last.key.isBefore(key), "keys of a run ascend") }
    entries.append(.init(key: key, value: value))
  }

  func put(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) throws(StateError) {
    add(key, [UInt8](value))
  }

  func delete(_ key: UnsafeRawBufferPointer) throws(StateError) { add(key, nil) }

  func finish() throws(StateError) -> StateRun { backend.keep(entries) }
}

extension [UInt8] {
  /// Whether it sorts before `other`, byte by byte.
  fileprivate func isBefore(_ other: [UInt8]) -> Bool {
    let order = withUnsafeBytes { mine in
      other.withUnsafeBytes { theirs -> Int32 in
        guard let one = mine.baseAddress, let two = theirs.baseAddress else { return 0 }
        return memcmp(one, two, Swift.min(mine.count, theirs.count))
      }
    }
    return order == 0 ? count < other.count : order < 0
  }
}

extension [MemoryStateBackend.Entry] {
  /// The place of the first entry at or after `key`.
  fileprivate func place(of key: [UInt8]) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if self[middle].key.isBefore(key) { low = middle + 1 } else { high = middle }
    }
    return low
  }

  fileprivate func range(from: [UInt8], to: [UInt8]) -> Range<Int> {
    let start = place(of: from)
    return start..<Swift.max(start, place(of: to))
  }

  /// Puts sorted entries in the place of those with their keys; one without value goes.
  fileprivate mutating func merge(_ newer: Self) {
    if newer.isEmpty { return }
    var merged: Self = []
    merged.reserveCapacity(count + newer.count)
    var next = startIndex
    for entry in newer {
      while next < count, self[next].key.isBefore(entry.key) {
        merged.append(self[next])
        next += 1
      }
      if next < count, self[next].key == entry.key { next += 1 }
      if entry.value != nil { merged.append(entry) }
    }
    merged.append(contentsOf: self[next...])
    self = merged
  }
}

private final class MemoryCursor: StateCursor {
  private let entries: [MemoryStateBackend.Entry]
  private var position = 0
  /// Copies of the entry's bytes, with stable addresses.
  private var keyBytes: UnsafeMutableRawBufferPointer
  private var valueBytes: UnsafeMutableRawBufferPointer

  init(_ entries: [MemoryStateBackend.Entry]) {
    self.entries = entries
    keyBytes = .allocate(byteCount: entries.map(\.key.count).max() ?? 0, alignment: 8)
    valueBytes = .allocate(byteCount: entries.map { $0.value?.count ?? 0 }.max() ?? 0, alignment: 8)
  }

  deinit {
    keyBytes.deallocate()
    valueBytes.deallocate()
  }

  var isValid: Bool { position < entries.count }

  var key: UnsafeRawBufferPointer {
    keyBytes.copyBytes(from: entries[position].key)
    return UnsafeRawBufferPointer(rebasing: keyBytes[..<entries[position].key.count])
  }

  var value: UnsafeRawBufferPointer {
    let value = entries[position].value ?? []
    valueBytes.copyBytes(from: value)
    return UnsafeRawBufferPointer(rebasing: valueBytes[..<value.count])
  }

  func next() { position += 1 }
  func seek(_ key: [UInt8]) { position = entries.place(of: key) }
  func check() throws(StateError) {}
}
