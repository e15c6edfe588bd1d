import State
import StreamModel

/// Reads the rows of a range in key order: of each key what the newest run says, else what is committed. One owner.
final class ViewMerge {
  private struct RunCursor {
    let run: SortedRun
    var index: Int
  }

  private var runs: [RunCursor]
  private let committed: (any StateCursor)?
  private let prefix: [UInt8]
  private(set) var lastKey: [UInt8] = []

  /// `runs`: newest first. `from`: where to begin, within the keys that begin with `prefix`.
  init(
    _ runs: [SortedRun], _ reader: (any StateSnapshotReader)?, family: String, from: [UInt8], prefix: [UInt8]
  ) throws(StateError) {
    self.prefix = prefix
    self.runs = runs.map { run in RunCursor(run: run, index: from.withUnsafeBytes { run.lowerBound($0) }) }
    committed = try reader?.makeCursor(
      family: family, from: [ViewOperator.rowPrefix] + from,
      to: StateStore.successor(of: [ViewOperator.rowPrefix] + prefix))
  }

  private func key(_ cursor: RunCursor) -> UnsafeRawBufferPointer? {
    guard cursor.index < cursor.run.count else { return nil }
    let key = cursor.run.key(cursor.index)
    return prefix.isEmpty || key.starts(with: prefix) ? key : nil
  }

  private var committedKey: UnsafeRawBufferPointer? {
    guard let committed, committed.isValid else { return nil }
    return UnsafeRawBufferPointer(rebasing: committed.key[1...])
  }

  /// Whether there is another entry; one that says that a row has gone counts as well.
  func hasMore() throws(StateError) -> Bool {
    if runs.contains(where: { key($0) != nil }) { return true }
    try committed?.check()
    return committedKey != nil
  }

  /// The next row's bytes; its key is `lastKey` then.
  func next() throws(StateError) -> [UInt8]? {
    while true {
      var least: (key: UnsafeRawBufferPointer, run: Int?)?
      for (index, cursor) in runs.enumerated() {
        guard let key = key(cursor) else { continue }
        if least.map({ compare(key, $0.key) < 0 }) ?? true { least = (key, index) }
      }
      if let key = committedKey, least.map({ compare(key, $0.key) < 0 }) ?? true { least = (key, nil) }
      guard let least else {
        try committed?.check()
        return nil
      }
      lastKey = [UInt8](least.key)
      let value: [UInt8]?
      if let run = least.run {
        value = runs[run].run.value(runs[run].index).map { [UInt8]($0) }
      } else {
        value = (committed?.value).map { [UInt8]($0) }
      }
      skip(lastKey)
      if let value { return value }
    }
  }

  /// Moves every cursor behind `key`.
  private func skip(_ key: [UInt8]) {
    key.withUnsafeBytes { bytes in
      for index in runs.indices {
        guard let own = self.key(runs[index]), compare(own, bytes) == 0 else { continue }
        runs[index].index += 1
      }
      if let own = committedKey, compare(own, bytes) == 0 { committed?.next() }
    }
  }
}
