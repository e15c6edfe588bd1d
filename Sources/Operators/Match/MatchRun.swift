import StreamModel

/// One way in which the rows since an attempt's first have been matched so far.
struct MatchThread {
  /// The instruction it stands at: one that takes a row.
  var position: Int
  /// Where the row that the search goes on at stands among the attempt's rows; −1 where there is none.
  var mark: Int
  /// One a reference.
  var registers: [MatchRegister]
}

/// The state of one key: its rows from the first that may still begin a match, and the attempt to match from there.
///
/// Rows before `start` are kept for `prev` alone. The attempt follows from the rows, so only they are stored.
final class MatchRun {
  var rows: [MatchRow] = []
  /// Where the attempt begins.
  var start = 0
  /// The next row to look at.
  var next = 0
  /// In the order of preference; empty while the attempt has not begun.
  var threads: [MatchThread] = []
  /// The preferred match among those that have ended, which a thread may still outdo.
  var candidate: Candidate?
  /// The start that the queue of open matches knows.
  var queuedStart: EventTime?
  /// The number of its first row; the next rows have the next numbers.
  private(set) var firstNumber: UInt64
  /// What the state has of it.
  var saved = Saved()

  /// Rows by number; the others are to be written, or deleted. A row in `changed` is to be written again.
  struct Saved {
    var rows: Range<UInt64> = 0..<0
    var changed: [UInt64] = []
    /// The start of the open match that the state knows.
    var open: EventTime?
  }

  init(firstNumber: UInt64) { self.firstNumber = firstNumber }

  struct Candidate {
    let thread: MatchThread
    /// Behind its last row.
    let end: Int
  }

  /// The numbers of its rows.
  var numbers: Range<UInt64> { firstNumber..<firstNumber + UInt64(rows.count) }

  /// Notes that what the state has of a row is no longer true.
  func noteChanged(_ place: Int) {
    let number = firstNumber + UInt64(place)
    if saved.rows.contains(number) { saved.changed.append(number) }
  }

  var isOpen: Bool { start < rows.count }
  var startTime: EventTime { rows[start].time }

  /// Forgets the attempt and begins anew at `start`.
  func restart(at start: Int) {
    self.start = start
    next = start
    threads = []
    candidate = nil
  }

  /// Lets go of rows that nothing needs.
  func trim(history: Int) {
    let surplus = start - history
    guard surplus > 0, surplus >= 64 || !isOpen else { return }
    rows.removeFirst(surplus)
    firstNumber += UInt64(surplus)
    start -= surplus
    next -= surplus
    if let known = candidate { candidate = Candidate(thread: known.thread, end: known.end - surplus) }
  }
}
