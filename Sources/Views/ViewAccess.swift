import Formats
import State
import StreamModel

/// Which rows of a view a reader sees.
package enum ViewIsolation: String, Sendable, CaseIterable {
  /// As of the last committed checkpoint: what a sink has, too.
  case committed
  /// What the step has given so far; a crash may take it back.
  case live
}

/// What a reader may see. This is the one place that decides it: every read, scan and change goes through `ViewAccess`.
package struct ViewScope: Sendable {
  /// Only rows of this account; nil for all.
  package let account: String?
  /// What a personal value is shown as; nil shows it as it is.
  package let token: (@Sendable (UnsafeBufferPointer<UInt8>) -> String)?

  package init(account: String? = nil, token: (@Sendable (UnsafeBufferPointer<UInt8>) -> String)? = nil) {
    self.account = account
    self.token = token
  }
}

/// See `ViewAccess.sight`.
package struct ViewSight: Hashable, Sendable {
  let account: String?
  let isMasked: Bool
}

/// Rows of a view, and how to go on behind them.
package struct ViewPage: Sendable {
  package let rows: RecordBatch
  /// Where the next page begins, behind the last key that was looked at, perhaps of a row that the reader must not see: not to be shown
  /// as it is. Nil where there is none.
  package let next: [UInt8]?
  /// The checkpoint that committed rows are of.
  package let checkpoint: Int64
}

/// One change of a view: its place, and whether the row came or went.
package struct ViewChange: Sendable {
  package let position: ViewPosition
  /// The row in `ViewChanges.rows`; nil for one that went, of which only the key is there.
  package let row: Int?
  /// The key's values, when the row went.
  package let key: [Value]
}

/// A stretch of changes.
package struct ViewChanges: Sendable {
  package let changes: [ViewChange]
  package let rows: RecordBatch
  /// Where to go on; the place of the last change that was looked at, whether the reader may see it or not.
  package let position: ViewPosition
}

/// Reads a view as one reader may see it. Methods block: not for a thread that serves others.
package struct ViewAccess: Sendable {
  /// Most rows looked at for one page: a reader who may see few of them gets a short page and goes on.
  static let maxExamined = 20_000

  private let set: ViewSet
  private let store: ViewStore
  private let scope: ViewScope
  private let accountBytes: [UInt8]?

  package var view: ViewDefinition { store.view }
  /// What of a view its readers see: of two with the same one each sees what the other does.
  package var sight: ViewSight { ViewSight(account: scope.account, isMasked: scope.token != nil) }

  /// Refuses a reader of one account where rows do not say whose they are.
  package init(_ set: ViewSet, _ store: ViewStore, _ scope: ViewScope) throws(ViewError) {
    if scope.account != nil, store.view.account == nil {
      throw .forbidden("view \(store.view.name) does not say whose rows it holds: it has no `account:`")
    }
    self.set = set
    self.store = store
    self.scope = scope
    accountBytes = scope.account.map { Array($0.utf8) }
  }

  // MARK: Who sees what

  private func admits(_ value: UnsafeRawBufferPointer) -> Bool {
    guard let accountBytes, let column = view.account else { return accountBytes == nil }
    guard let own = ViewRowCodec.text(value, column: column, view.schema) else { return false }
    return accountBytes.withUnsafeBytes { compare(own, $0) == 0 }
  }

  /// The rows as the reader may see them.
  private func present(_ rows: [[UInt8]]) -> RecordBatch {
    let batch = ViewRowCodec.batch(rows, view.schema)
    guard let token = scope.token, !view.masked.isEmpty else { return batch }
    let columns = batch.columns.enumerated().map { index, column -> Column in
      guard view.masked.contains(index) else { return column }
      let builder = ColumnBuilder(column.type, capacity: column.count)
      for row in 0..<column.count {
        if column.isValid(row) { builder.append(string: token(column.bytes(at: row))) } else { builder.appendNull() }
      }
      return builder.finish()
    }
    return batch.with(schema: batch.schema, columns: columns)
  }

  /// Where a scan goes: the account's own rows where they lie together. Nil where the reader may see none of what is asked for.
  private func range(_ prefix: [UInt8]) -> [UInt8]? {
    guard let account = scope.account, view.key.first == view.account else { return prefix }
    let own = ViewKey.bytes(ofText: Array(account.utf8))
    if prefix.isEmpty { return own }
    return prefix.starts(with: own) ? prefix : nil
  }

  // MARK: Rows

  /// The row of a key, as a page of one row or none.
  package func row(_ key: [String], _ isolation: ViewIsolation) throws(ViewError) -> ViewPage {
    guard key.count == view.key.count else {
      let names = view.key.map { view.schema[$0].name }.joined(separator: "/")
      throw .request("the key of view \(view.name) is \(names): \(view.key.count) columns, not \(key.count)")
    }
    let bytes = try ViewKey.bytes(of: key, view)
    // Before the state: what a commit takes out here is in the state by then.
    let runs = isolation == .live ? store.liveRuns : []
    return try set.read { (reader, checkpoint) throws(ViewError) in
      let found = try find(bytes, runs, reader)
      let isSeen = found.map { row in row.withUnsafeBytes { admits($0) } } ?? false
      return ViewPage(rows: present(isSeen ? [found ?? []] : []), next: nil, checkpoint: checkpoint)
    }
  }

  private func find(
    _ key: [UInt8], _ runs: [SortedRun], _ reader: (any StateSnapshotReader)?
  ) throws(ViewError) -> [UInt8]? {
    for run in runs {
      if let index = key.withUnsafeBytes({ run.find($0) }) { return run.value(index).map { [UInt8]($0) } }
    }
    do {
      return try reader?.get(family: family, key: [ViewOperator.rowPrefix] + key)
    } catch {
      throw .unavailable("\(error)")
    }
  }

  private var family: String { "\(view.stateName) \(ViewDefinition.role)" }

  /// Up to `limit` rows whose key begins with `prefix`, in key order, behind the key `after`.
  package func scan(
    prefix: [String], after: [UInt8]?, limit: Int, _ isolation: ViewIsolation
  ) throws(ViewError) -> ViewPage {
    let asked = try ViewKey.bytes(of: prefix, view)
    let runs = isolation == .live ? store.liveRuns : []
    return try set.read { (reader, checkpoint) throws(ViewError) in
      guard let prefix = range(asked) else { return ViewPage(rows: present([]), next: nil, checkpoint: checkpoint) }
      if let after, !after.starts(with: prefix) { throw .request("the cursor is of another scan") }
      let merge: ViewMerge
      do {
        merge = try ViewMerge(
          runs, reader, family: family, from: after.map { $0 + [0] } ?? prefix, prefix: prefix)
      } catch {
        throw .unavailable("\(error)")
      }
      return try page(merge, limit: limit, checkpoint)
    }
  }

  private func page(_ merge: ViewMerge, limit: Int, _ checkpoint: Int64) throws(ViewError) -> ViewPage {
    var rows: [[UInt8]] = []
    var last: [UInt8]?
    var examined = 0
    do {
      while rows.count < limit, examined < ViewAccess.maxExamined, let value = try merge.next() {
        examined += 1
        if value.withUnsafeBytes({ admits($0) }) { rows.append(value) }
        last = merge.lastKey
      }
      let hasMore = try merge.hasMore()
      return ViewPage(rows: present(rows), next: hasMore ? last : nil, checkpoint: checkpoint)
    } catch {
      throw .unavailable("\(error)")
    }
  }

  // MARK: Changes

  /// Where changes that have not happened yet will follow.
  package func head(_ isolation: ViewIsolation) -> ViewPosition { log(isolation).head }

  private func log(_ isolation: ViewIsolation) -> ViewChangeLog {
    isolation == .live ? store.liveLog : store.committedLog
  }

  /// From now on, until the following is let go of, `wake` is called when something has come that this reader may see and whose key
  /// begins with `prefix`. It must not block.
  package func follow(
    prefix: [String], _ isolation: ViewIsolation, wake: @escaping @Sendable () -> Void
  ) throws(ViewError) -> ViewFollowing {
    let followers = isolation == .live ? store.liveFollowers : store.committedFollowers
    return ViewFollowing(followers, followers.add(try interest(in: prefix), wake: wake))
  }

  private func interest(in texts: [String]) throws(ViewError) -> ViewInterest {
    let asked = try ViewKey.bytes(of: texts, view)
    guard let prefix = range(asked) else { return .nothing }
    if let accountBytes, view.key.first != view.account { return .account(accountBytes) }
    return prefix.isEmpty ? .everything : .prefix(prefix, columns: max(1, texts.count))
  }

  /// Up to `limit` changes that follow `position`; nil where that place is not known (any more): the reader reads the rows anew.
  package func changes(
    after position: ViewPosition, limit: Int, prefix: [String] = [], _ isolation: ViewIsolation
  ) throws(ViewError) -> ViewChanges? {
    let asked = try ViewKey.bytes(of: prefix, view)
    guard let stretch = log(isolation).after(position) else { return nil }
    guard let prefix = range(asked) else {
      return ViewChanges(changes: [], rows: present([]), position: stretch.head)
    }
    var gathered = GatheredChanges(position: position)
    for part in stretch.parts where gathered.isBelow(limit) {
      gather(part, prefix, limit, &gathered)
    }
    if gathered.isBelow(limit) { gathered.position = stretch.head }
    return ViewChanges(changes: gathered.changes, rows: present(gathered.rows), position: gathered.position)
  }

  private struct GatheredChanges {
    var changes: [ViewChange] = []
    var rows: [[UInt8]] = []
    var position: ViewPosition
    var examined = 0

    func isBelow(_ limit: Int) -> Bool { changes.count < limit && examined < ViewAccess.maxExamined }
  }

  private func gather(
    _ part: (epoch: Int64, firstNumber: Int64, run: SortedRun, from: Int), _ prefix: [UInt8], _ limit: Int,
    _ gathered: inout GatheredChanges
  ) {
    var index = prefix.isEmpty ? part.from : max(part.from, prefix.withUnsafeBytes { part.run.lowerBound($0) })
    while index < part.run.count, gathered.isBelow(limit) {
      let key = part.run.key(index)
      guard prefix.isEmpty || key.starts(with: prefix) else { break }
      gathered.examined += 1
      let place = ViewPosition(epoch: part.epoch, number: part.firstNumber + Int64(index))
      if let value = part.run.value(index) {
        if admits(value) {
          gathered.changes.append(ViewChange(position: place, row: gathered.rows.count, key: []))
          gathered.rows.append([UInt8](value))
        }
      } else if scope.account == nil || view.key.first == view.account {
        // Whose a row was that went can be told only where its key says so; the prefix has seen to that.
        gathered.changes.append(ViewChange(position: place, row: nil, key: ViewKey.values(of: key, view)))
      }
      gathered.position = place
      index += 1
    }
    if gathered.isBelow(limit) {
      gathered.position = ViewPosition(epoch: part.epoch, number: part.firstNumber + Int64(part.run.count) - 1)
    }
  }
}
