import StreamModel

/// The state of one key: its rows from the first that may still begin a match, and the attempt to match from there.
///
/// Rows before `start` are kept for `prev` alone. The attempt follows from the rows, so only they are stored.
final class MatchRun {
  private var ids: UnsafeMutablePointer<MatchRowID>
  private var capacity = 4
  /// How many rows it has.
  private(set) var count = 0
  /// Where the attempt begins.
  private(set) var start = 0
  /// The next row to look at.
  var next = 0
  /// Nil while the attempt has not begun.
  var threads: MatchThreads?
  /// The preferred match among those that have ended, which a thread may still outdo, and where it ends: behind its last row.
  private(set) var candidate: MatchThreads?
  private(set) var candidateEnd = 0
  /// The start that the queue of open matches knows.
  var queuedStart: EventTime?
  /// The batch that had rows of it last, by number.
  var round = 0
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

  init(firstNumber: UInt64) {
    self.firstNumber = firstNumber
    ids = .allocate(capacity: capacity)
  }

  deinit { ids.deallocate() }

  // MARK: Rows

  @inline(__always) subscript(place: Int) -> MatchRowID {
    get { ids[place] }
    set { ids[place] = newValue }
  }

  /// The rows in order, borrowed until the next one is added.
  @inline(__always) func rows(_ blocks: MatchBlocks) -> MatchRows {
    MatchRows(ids: UnsafePointer(ids), start: start, cells: UnsafePointer(blocks.cells), blocks: blocks)
  }

  /// Adds a row, which is needed from now on.
  @inline(__always) func append(_ id: MatchRowID, _ blocks: MatchBlocks) {
    if count == capacity {
      capacity *= 2
      ids = GrowingMemory.moved(ids, count: count, capacity: capacity)
    }
    ids[count] = id
    count &+= 1
    blocks.need(id)
  }

  /// The numbers of its rows.
  var numbers: Range<UInt64> { firstNumber..<firstNumber + UInt64(count) }

  /// Notes that what the state has of a row is no longer true.
  func noteChanged(_ place: Int) {
    let number = firstNumber + UInt64(place)
    if saved.rows.contains(number) { saved.changed.append(number) }
  }

  /// Lets go of rows that nothing needs.
  @inline(__always) func trim(history: Int, _ blocks: MatchBlocks) {
    let surplus = start - history
    guard surplus > 0, surplus >= 64 || !isOpen else { return }
    removeFirst(surplus, blocks)
  }

  func removeAll(_ blocks: MatchBlocks) { removeFirst(count, blocks) }

  private func removeFirst(_ surplus: Int, _ blocks: MatchBlocks) {
    for place in 0..<surplus { blocks.release(ids[place]) }
    count -= surplus
    ids.update(from: ids + surplus, count: count)
    firstNumber += UInt64(surplus)
    start -= surplus
    next -= surplus
    candidateEnd -= surplus
  }

  // MARK: The attempt

  var isOpen: Bool { start < count }
  var hasCandidate: Bool { candidate != nil }

  /// Forgets the attempt and begins anew at `start`.
  @inline(__always) func restart(at start: Int) {
    self.start = start
    next = start
    if threads != nil { threads = nil }
    if candidate != nil { candidate = nil }
  }

  /// Takes a thread that has fulfilled the pattern in place of what it is preferred to.
  func set(candidate: MatchThreads, end: Int) {
    self.candidate = candidate
    candidateEnd = end
  }
}

/// The rows of one key, borrowed: for loops that count no references.
struct MatchRows {
  fileprivate let ids: UnsafePointer<MatchRowID>
  /// Where the attempt begins.
  let start: Int
  fileprivate let cells: UnsafePointer<MatchCells>
  /// The operator's, which lives longer.
  fileprivate unowned(unsafe) let blocks: MatchBlocks

  @inline(__always) func argument(_ reference: Int, at place: Int) -> MatchArgumentCell {
    let id = ids[place]
    return MatchArgumentCell(cells: cells[Int(id.block)].arguments[reference], row: Int(id.row))
  }

  /// The reference's argument on the row at `place`, as a column and a row of it.
  func column(_ reference: Int, at place: Int) -> (column: Column?, row: Int) {
    let id = ids[place]
    return (blocks[id.block].arguments[reference], Int(id.row))
  }

  func value(_ reference: Int, at place: Int) -> Value {
    let (column, row) = column(reference, at: place)
    return column?.value(at: row) ?? .null
  }

  /// Whether the reference's argument is the same on two rows, by their distance from the attempt's first. No row is as good as null.
  func isSame(_ reference: Int, _ one: Int32, _ other: Int32) -> Bool {
    if one == other { return true }
    guard one != MatchRegister.noRow else { return !argument(reference, at: start + Int(other)).isValid }
    guard other != MatchRegister.noRow else { return !argument(reference, at: start + Int(one)).isValid }
    return argument(reference, at: start + Int(one)).isSame(as: argument(reference, at: start + Int(other)))
  }
}
