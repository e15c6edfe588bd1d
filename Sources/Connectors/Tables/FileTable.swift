import Formats
import Glibc
import Operators
import StreamModel
import Synchronization

/// A table in a CSV or JSON file, held in memory whole and read anew when the file changes.
///
/// Whether it has changed is looked at no more than once a second, by whichever subtask comes first; that one reads it, and the
/// others go on with what there is. What is read is taken whole or not at all: a row that does not decode, two rows for one key or
/// versions that overlap leave the table as it was, and a notice says so. A writer that renames a new file into place is never
/// seen half-way.
final class FileTable: LookupTable {
  let counters = LookupCounters()
  private let spec: FileTableSpec
  private let place: String
  private let layout: TableLayout
  private let notice: @Sendable (String) -> Void
  private let clock: @Sendable () -> Int64
  private let current: Guarded<LookupIndex>
  private let watch: Guarded<Watch>
  /// When the file is to be looked at again, on the clock.
  private let nextCheck: Atomic<Int64>

  private struct Watch {
    var identity: FileIdentity?
    /// Whether the file is known to be away.
    var isGone = false
  }

  static let checkNanoseconds: Int64 = 1_000_000_000

  /// Reads the file. `clock` gives nanoseconds since some fixed point.
  init(
    _ spec: FileTableSpec, place: String, layout: TableLayout, notice: @escaping @Sendable (String) -> Void,
    clock: @escaping @Sendable () -> Int64 = Clock.monotonicNanoseconds
  ) throws(ConnectorError) {
    self.spec = spec
    self.place = place
    self.layout = layout
    self.notice = notice
    self.clock = clock
    let identity = FileIdentity(spec.path)
    current = Guarded(try FileTable.read(spec, place, layout))
    watch = Guarded(Watch(identity: identity))
    nextCheck = Atomic(clock() + FileTable.checkNanoseconds)
  }

  func find(_ keys: LookupKeys) throws(OperatorError) -> LookupResult {
    reloadIfChanged()
    let index = current.withLock { $0 }
    counters.hits.add(keys.count)
    return LookupResult(rows: index.rows, slots: index.slots(of: keys))
  }

  func close() {}

  // MARK: Reading

  private func reloadIfChanged() {
    let now = clock()
    let due = nextCheck.load(ordering: .relaxed)
    guard now >= due else { return }
    let (isMine, _) = nextCheck.compareExchange(
      expected: due, desired: now + FileTable.checkNanoseconds, ordering: .relaxed)
    guard isMine else { return }
    let change = watch.withLock { watch in
      let identity = FileIdentity(spec.path)
      defer {
        watch.isGone = identity == nil
        if identity != nil { watch.identity = identity }
      }
      guard identity != nil else { return watch.isGone ? Change.none : .gone }
      return identity == watch.identity ? .none : .new
    }
    switch change {
    case .none: break
    case .gone: notice("\(place): \(spec.path) is gone: the table stays as it was — put the file back")
    case .new: reload()
    }
  }

  private enum Change { case none, gone, new }

  private func reload() {
    do throws(ConnectorError) {
      let index = try FileTable.read(spec, place, layout)
      current.withLock { $0 = index }
      counters.reloads.add(1)
    } catch {
      counters.refusedReloads.add(1)
      notice("\(error): the table stays as it was")
    }
  }

  private static func read(
    _ spec: FileTableSpec, _ place: String, _ layout: TableLayout
  ) throws(ConnectorError) -> LookupIndex {
    let rows = try TableFile(spec: spec, place: place).rows(layout.schema)
    do { return try LookupIndex(rows, layout) } catch {
      throw ConnectorError("\(place): \(spec.path): \(error)")
    }
  }
}

/// What tells one content of a file from another without reading it.
private struct FileIdentity: Equatable {
  private let device: UInt
  private let inode: UInt
  private let sizeBytes: Int
  private let seconds: Int
  private let nanoseconds: Int

  /// Nil where there is no file.
  init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    device = UInt(status.st_dev)
    inode = UInt(status.st_ino)
    sizeBytes = Int(status.st_size)
    seconds = status.st_mtim.tv_sec
    nanoseconds = status.st_mtim.tv_nsec
  }
}
