import StreamModel

/// What the generator knows of a stream: its columns, and which steps behind it have one right answer.
struct TestStream {
  let name: StreamName
  var fields: [Field]
  var promise = TestSink.Promise.exact
  /// Whether steps made its rows.
  var isMade = false
  /// Whether rows may be behind their own partition's watermark.
  var mayBeBehind = false
  /// Whether rows of one account come from one partition of one source, and `account` says which.
  var isLocal = false
  /// Whether rows come in the order in which they were read: no keyed step lies before.
  var isInOrder = true
  /// Whether one row may come twice, with different values.
  var hasCopies = false
  /// Whether the rows are a source's own, unchanged.
  var isVerbatim = false
  /// Sources it comes from.
  var sources: Set<Int> = []
  /// Columns of which each value has at most one row at an event time; nil where that is not known. For made rows.
  var uniqueKey: [String]?
  var hasEventTime = true
  /// Keyed steps before it, so that topologies stay small.
  var depth = 0

  var isExact: Bool {
    if case .exact = promise { return true }
    return false
  }

  func index(_ name: String) -> Int? { fields.firstIndex { $0.name == name } }

  /// Whether rows with one value of these columns come in one order whatever the timing.
  func keepsAccounts(_ key: [Int]) -> Bool { isLocal && key.contains { fields[$0].name == "account" } }

  /// Whether `first` and `last` have one answer in groups by `key`.
  func ordersTies(_ key: [Int]) -> Bool {
    if isMade { return isUnique(key) }
    return !hasCopies && (keepsAccounts(key) || (!mayBeBehind && sources.count == 1))
  }

  private func isUnique(_ key: [Int]) -> Bool {
    uniqueKey.map { $0.allSatisfy { name in key.contains { fields[$0].name == name } } } ?? false
  }

  func allowsSessions(_ key: [Int]) -> Bool { !mayBeBehind || keepsAccounts(key) }

  /// Whether rows meet that were read by several readers, or went through several subtasks.
  var isInterleaved: Bool { !isInOrder || sources.count > 1 }

  /// Whether rows arrive in one order. Rows that are interleaved are put in order of time first.
  func allowsDeduplication(_ key: [Int]) -> Bool {
    if isMade { return isUnique(key) && key.count == uniqueKey?.count }
    return !hasCopies
  }

  func allowsOverflow(_ key: [Int]) -> Bool { !isMade && isInOrder && !hasCopies && keepsAccounts(key) }
}
