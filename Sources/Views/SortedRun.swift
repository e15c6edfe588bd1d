import Formats
import Glibc
import StreamModel

/// Entries of a view in key order, each key once; a later one stands in the place of an earlier. Immutable.
///
/// An entry has a value, or says that the key is gone. All lie in one area: a table of entries, then their bytes.
/// Invariant for `Sendable`: everything is written before `init` and never after.
final class SortedRun: @unchecked Sendable {
  struct Entry {
    let start: UInt64
    let keyLength: UInt32
    /// `SortedRun.gone` for a key that is gone.
    let valueLength: UInt32
  }

  static let gone = UInt32.max

  let count: Int
  private let area: RunArea
  private let entries: UnsafePointer<Entry>
  private let bytes: UnsafeRawPointer

  fileprivate init(_ area: RunArea, count: Int) {
    self.area = area
    self.count = count
    entries = UnsafePointer(area.base.assumingMemoryBound(to: Entry.self))
    bytes = UnsafeRawPointer(area.base) + count * MemoryLayout<Entry>.stride
  }

  var sizeBytes: Int { area.sizeBytes }
  /// Of the process's own memory; what lies in a file the system can take back.
  var heapBytes: Int { area.isMapped ? 0 : area.sizeBytes }

  @inline(__always) func key(_ index: Int) -> UnsafeRawBufferPointer {
    let entry = entries[index]
    return UnsafeRawBufferPointer(start: bytes + Int(entry.start), count: Int(entry.keyLength))
  }

  /// Nil where the key is gone.
  @inline(__always) func value(_ index: Int) -> UnsafeRawBufferPointer? {
    let entry = entries[index]
    if entry.valueLength == SortedRun.gone { return nil }
    return UnsafeRawBufferPointer(
      start: bytes + Int(entry.start) + Int(entry.keyLength), count: Int(entry.valueLength))
  }

  /// The first entry at or after `key`.
  func lowerBound(_ key: UnsafeRawBufferPointer) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if compare(self.key(middle), key) < 0 { low = middle + 1 } else { high = middle }
    }
    return low
  }

  /// The entry of `key`, if there is one.
  func find(_ key: UnsafeRawBufferPointer) -> Int? {
    let index = lowerBound(key)
    return index < count && compare(self.key(index), key) == 0 ? index : nil
  }

  /// `older` with what `newer` says in its place. `spillFolder`: where a large result may lie in a file.
  static func merge(_ older: SortedRun, _ newer: SortedRun, spillFolder: String?) -> SortedRun {
    var builder = SortedRunBuilder(capacityBytes: older.sizeBytes + newer.sizeBytes)
    var (left, right) = (0, 0)
    while left < older.count || right < newer.count {
      let order =
        left == older.count ? 1 : right == newer.count ? -1 : compare(older.key(left), newer.key(right))
      if order < 0 {
        builder.append(older.key(left), older.value(left))
      } else {
        builder.append(newer.key(right), newer.value(right))
        right += 1
      }
      if order <= 0 { left += 1 }
    }
    return builder.finish(spillFolder: spillFolder)
  }
}

/// Byte by byte; a prefix comes first.
@inline(__always) func compare(_ left: UnsafeRawBufferPointer, _ right: UnsafeRawBufferPointer) -> Int32 {
  if let one = left.baseAddress, let two = right.baseAddress {
    let order = memcmp(one, two, min(left.count, right.count))
    if order != 0 { return order }
  }
  return left.count < right.count ? -1 : left.count > right.count ? 1 : 0
}

/// Puts a run together; keys ascend.
struct SortedRunBuilder: ~Copyable {
  private var entries: [SortedRun.Entry] = []
  private var bytes: ByteBuffer

  /// A result of so many bytes may lie in a file.
  static let leastSpillBytes = 8 << 20

  init(capacityBytes: Int = 1 << 12) { bytes = ByteBuffer(capacity: capacityBytes) }

  /// `value`: nil for a key that is gone.
  mutating func append(_ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) {
    entries.append(
      .init(
        start: UInt64(bytes.count), keyLength: UInt32(key.count),
        valueLength: value.map { UInt32($0.count) } ?? SortedRun.gone))
    bytes.append(key.assumingMemoryBound(to: UInt8.self))
    if let value { bytes.append(value.assumingMemoryBound(to: UInt8.self)) }
  }

  consuming func finish(spillFolder: String? = nil) -> SortedRun {
    let tableBytes = entries.count * MemoryLayout<SortedRun.Entry>.stride
    let size = tableBytes + bytes.count
    let area = RunArea(sizeBytes: size, spillFolder: size >= SortedRunBuilder.leastSpillBytes ? spillFolder : nil)
    entries.withUnsafeBytes { table in
      if let start = table.baseAddress { area.base.copyMemory(from: start, byteCount: tableBytes) }
    }
    (area.base + tableBytes).copyMemory(from: bytes.base, byteCount: bytes.count)
    return SortedRun(area, count: entries.count)
  }
}

/// The memory of a run: the process's own, or a file without a name that the system may write out when memory is short.
///
/// Invariant for `Sendable`: written by the builder before the run is shared.
final class RunArea: @unchecked Sendable {
  let base: UnsafeMutableRawPointer
  let sizeBytes: Int
  let isMapped: Bool

  init(sizeBytes: Int, spillFolder: String?) {
    self.sizeBytes = sizeBytes
    if let spillFolder, let mapped = RunArea.map(sizeBytes, in: spillFolder) {
      base = mapped
      isMapped = true
    } else {
      base = .allocate(byteCount: max(sizeBytes, 16), alignment: 16)
      isMapped = false
    }
  }

  deinit { if isMapped { munmap(base, sizeBytes) } else { base.deallocate() } }

  /// Nil where there is no room on the disk or the folder is gone: then memory has to do.
  private static func map(_ size: Int, in folder: String) -> UnsafeMutableRawPointer? {
    var name = Array("\(folder)/.view-run-XXXXXX".utf8CString)
    let file = mkstemp(&name)
    guard file >= 0 else { return nil }
    _ = fcntl(file, F_SETFD, FD_CLOEXEC)
    defer { close(file) }
    unlink(name)
    // Room is taken now: a page for which there is none when it is written to would end the process.
    guard posix_fallocate(file, 0, off_t(size)) == 0 else { return nil }
    let mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
    return mapped == MAP_FAILED ? nil : mapped
  }
}
