import StreamModel

/// What one subtask has written to a view since the last committed checkpoint: runs that it adds and merges, and that any
/// thread reads.
///
/// A run belongs to the checkpoint whose barrier comes next. At that barrier the runs become one, sealed, which goes into the
/// state and stays here until the checkpoint is committed.
final class ViewSegment: Sendable {
  private struct Content {
    /// Oldest first; each at least twice as large as the next.
    var open: [SortedRun] = []
    var sealed: [(checkpoint: Int64, run: SortedRun)] = []
  }

  private let content = Guarded(Content())
  private let spillFolder: String?

  init(spillFolder: String?) { self.spillFolder = spillFolder }

  /// Adds what is newest. Called by the owner alone.
  func append(_ run: SortedRun) {
    var runs = content.withLock { $0.open }
    runs.append(run)
    while runs.count > 1, runs[runs.count - 2].sizeBytes < 2 * runs[runs.count - 1].sizeBytes {
      let newer = runs.removeLast()
      runs[runs.count - 1] = .merge(runs[runs.count - 1], newer, spillFolder: spillFolder)
    }
    content.withLock { $0.open = runs }
  }

  /// The entry of `key` that the owner wrote last and that no checkpoint has yet.
  func open(_ key: UnsafeRawBufferPointer) -> (run: SortedRun, index: Int)? {
    for run in content.withLock({ $0.open }).reversed() { if let index = run.find(key) { return (run, index) } }
    return nil
  }

  /// Everything added since the last call, as one run that belongs to checkpoint `id`; nil where there is nothing.
  func seal(_ id: Int64) -> SortedRun? {
    var runs = content.withLock { $0.open }
    while runs.count > 1 {
      let newer = runs.removeLast()
      runs[runs.count - 1] = .merge(runs[runs.count - 1], newer, spillFolder: spillFolder)
    }
    guard let run = runs.first else { return nil }
    content.withLock { content in
      content.open = []
      content.sealed.append((id, run))
    }
    return run
  }

  /// Takes out what belongs to checkpoints up to `id`, oldest first: it is committed.
  func take(upTo id: Int64) -> [SortedRun] {
    content.withLock { content in
      let committed = content.sealed.filter { $0.checkpoint <= id }.map(\.run)
      content.sealed.removeAll { $0.checkpoint <= id }
      return committed
    }
  }

  /// All runs, newest first.
  var runs: [SortedRun] {
    content.withLock { content in content.open.reversed() + content.sealed.reversed().map(\.run) }
  }

  var heapBytes: Int { runs.reduce(0) { $0 + $1.heapBytes } }
}
