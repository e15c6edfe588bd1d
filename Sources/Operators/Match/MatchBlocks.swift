import StreamModel

/// A row of a block, by number.
struct MatchRowID: Hashable {
  let block: Int32
  let row: Int32
}

/// What the condition of a variable says of one row.
enum MatchVerdict {
  static let no: UInt8 = 0
  static let yes: UInt8 = 1
  /// It has no value there; the block knows why.
  static let failed: UInt8 = 2
  /// It depends on how the rows before were matched, or has not been decided.
  static let open: UInt8 = 3
}

/// Rows that matches are made of, with what the pattern reads of them. One owner.
final class MatchBlock {
  let batch: RecordBatch
  /// By reference; nil for one that has no argument.
  let arguments: [Column?]
  /// A byte a variable, and then one for whether a match may begin with the row; row by row.
  let verdicts: Memory
  let verdictStride: Int
  /// Why a condition failed, by place among the verdicts.
  private(set) var reasons: [Int: String] = [:]
  /// Rows already reported as dead letters.
  private(set) var reported: Set<Int32> = []
  fileprivate let cells: UnsafeMutablePointer<MatchArgumentCells>

  init(_ batch: RecordBatch, _ arguments: [Column?], _ verdicts: Memory, verdictStride: Int) {
    self.batch = batch
    self.arguments = arguments
    self.verdicts = verdicts
    self.verdictStride = verdictStride
    cells = .allocate(capacity: max(1, arguments.count))
    for (index, column) in arguments.enumerated() {
      (cells + index).initialize(to: MatchArgumentCells(column ?? batch.eventTimes))
    }
  }

  deinit { cells.deallocate() }

  /// What the condition of `variable` says of row `row`.
  func set(_ row: Int, _ variable: Int, _ verdict: UInt8, _ reason: String? = nil) {
    let place = row * verdictStride + variable
    verdicts.base.storeBytes(of: verdict, toByteOffset: place, as: UInt8.self)
    if let reason { reasons[place] = reason }
  }

  func reason(_ row: Int, _ variable: Int) -> String { reasons[row * verdictStride + variable] ?? "" }

  /// Notes that a row is a dead letter. Returns whether it was none before.
  func report(_ row: Int32) -> Bool { reported.insert(row).inserted }

  /// The rows of several blocks as one block, `batch` having the rows that `picks` name, in memory of its own.
  static func picked(_ picks: [RowPick], from blocks: [MatchBlock], batch: RecordBatch, _ arguments: [Column?])
    -> MatchBlock
  {
    let stride = blocks[0].verdictStride
    let verdicts = Memory(capacityBytes: picks.count * stride)
    let whole = MatchBlock(batch, arguments, verdicts, verdictStride: stride)
    for (row, pick) in picks.enumerated() {
      let block = blocks[Int(pick.batch)]
      let from = Int(pick.row) * stride
      (verdicts.base + row * stride).copyMemory(from: block.verdicts.base + from, byteCount: stride)
      if block.reported.contains(pick.row) { whole.reported.insert(Int32(row)) }
      guard !block.reasons.isEmpty else { continue }
      for variable in 0..<stride {
        if let reason = block.reasons[from + variable] { whole.reasons[row * stride + variable] = reason }
      }
    }
    return whole
  }
}

/// A reference's argument on the rows of a block, borrowed.
struct MatchArgumentCells {
  let values: UnsafeRawPointer
  let validity: UnsafePointer<UInt8>?
  let bytes: UnsafePointer<UInt8>?
  let layout: DataType.Layout

  init(_ column: Column) {
    values = column.values
    validity = column.validity
    bytes = column.bytes
    layout = column.type.layout
  }
}

/// A reference's argument on one row, borrowed.
struct MatchArgumentCell {
  let cells: MatchArgumentCells
  let row: Int

  @inline(__always) var isValid: Bool {
    guard let validity = cells.validity else { return true }
    return validity[row >> 3] & (1 << UInt8(row & 7)) != 0
  }

  @inline(__always) var double: Double { cells.values.assumingMemoryBound(to: Double.self)[row] }

  /// Of a whole number or a decimal.
  @inline(__always) var unscaled: Int128 {
    cells.layout == .int128
      ? cells.values.assumingMemoryBound(to: Int128.self)[row]
      : Int128(cells.values.assumingMemoryBound(to: Int64.self)[row])
  }

  private var text: UnsafeBufferPointer<UInt8> {
    let view = cells.values.assumingMemoryBound(to: UInt64.self)[row]
    return UnsafeBufferPointer(
      start: cells.bytes.unsafelyUnwrapped + Int(view >> 32), count: Int(view & 0xFFFF_FFFF))
  }

  /// Both of one type, neither null. Text goes by its bytes; NaN is the greatest double, as in SQL.
  func isLess(than other: MatchArgumentCell) -> Bool {
    switch cells.layout {
    case .int64:
      cells.values.assumingMemoryBound(to: Int64.self)[row]
        < other.cells.values.assumingMemoryBound(to: Int64.self)[other.row]
    case .int128: unscaled < other.unscaled
    case .float64: other.double.isNaN ? !double.isNaN : double < other.double
    case .bool8:
      cells.values.assumingMemoryBound(to: UInt8.self)[row]
        < other.cells.values.assumingMemoryBound(to: UInt8.self)[other.row]
    case .view: text.lexicographicallyPrecedes(other.text)
    }
  }

  /// Both of one type.
  func isSame(as other: MatchArgumentCell) -> Bool {
    guard isValid, other.isValid else { return isValid == other.isValid }
    switch cells.layout {
    case .view: return text.elementsEqual(other.text)
    case .float64: return double == other.double
    case .int64, .int128, .bool8: return !isLess(than: other) && !other.isLess(than: self)
    }
  }
}

/// What a loop over rows reads of a block, borrowed.
struct MatchCells {
  let times: UnsafePointer<Int64>
  let verdicts: UnsafePointer<UInt8>
  let verdictStride: Int
  let arguments: UnsafePointer<MatchArgumentCells>

  fileprivate init(_ block: MatchBlock) {
    times = block.batch.eventTimes.int64s
    verdicts = UnsafePointer(block.verdicts.base.assumingMemoryBound(to: UInt8.self))
    verdictStride = block.verdictStride
    arguments = UnsafePointer(block.cells)
  }

  /// A byte a variable.
  @inline(__always) func verdicts(_ row: Int32) -> UnsafePointer<UInt8> { verdicts + Int(row) &* verdictStride }

  /// Whether a match may begin with the row.
  @inline(__always) func canBegin(_ row: Int32) -> Bool { verdicts[(Int(row) &+ 1) &* verdictStride &- 1] != 0 }
}

/// The blocks that rows of keys are in; one goes with the last of its rows that is needed. One owner.
///
/// `cells` and what it points to hold until a block is added.
final class MatchBlocks {
  private(set) var all: [MatchBlock?] = []
  private(set) var cells: UnsafeMutablePointer<MatchCells>
  /// By block: how many of its rows are needed.
  private var needed: UnsafeMutablePointer<Int32>
  private var capacity = 16
  private var free: [Int32] = []
  /// A block that stays although none of its rows is needed; −1 for none.
  private var held: Int32 = -1
  /// Rows of all blocks, and those of them that are needed.
  private(set) var rowCount = 0
  private(set) var neededCount = 0
  private(set) var sizeBytes = 0

  init() {
    cells = .allocate(capacity: capacity)
    needed = .allocate(capacity: capacity)
  }

  deinit {
    cells.deallocate()
    needed.deallocate()
  }

  subscript(index: Int32) -> MatchBlock {
    guard let block = all[Int(index)] else { preconditionFailure("a needed row's block is kept") }
    return block
  }

  @inline(__always) func time(_ id: MatchRowID) -> EventTime { cells[Int(id.block)].times[Int(id.row)] }

  func add(_ block: MatchBlock) -> Int32 {
    let index = free.popLast() ?? Int32(all.count)
    if Int(index) == all.count {
      all.append(nil)
      if all.count > capacity { grow() }
    }
    needed[Int(index)] = 0
    put(block, index)
    return index
  }

  private func grow() {
    capacity *= 2
    cells = GrowingMemory.moved(cells, count: all.count - 1, capacity: capacity)
    needed = GrowingMemory.moved(needed, count: all.count - 1, capacity: capacity)
  }

  private func put(_ block: MatchBlock, _ index: Int32) {
    all[Int(index)] = block
    cells[Int(index)] = MatchCells(block)
    rowCount += block.batch.count
    sizeBytes += block.batch.sizeBytes
  }

  private func take(_ index: Int32) {
    rowCount -= self[index].batch.count
    sizeBytes -= self[index].batch.sizeBytes
    all[Int(index)] = nil
  }

  /// Puts another block in the place of one, of which the same rows are needed.
  func replace(_ index: Int32, by block: MatchBlock) {
    take(index)
    put(block, index)
  }

  /// Keeps block `index` until another is held, or none.
  func hold(_ index: Int32) {
    let before = held
    held = index
    if before >= 0, before != index, needed[Int(before)] == 0 { drop(before) }
  }

  private func drop(_ index: Int32) {
    take(index)
    free.append(index)
  }

  /// A row is needed once more.
  @inline(__always) func need(_ id: MatchRowID) {
    needed[Int(id.block)] &+= 1
    neededCount &+= 1
  }

  /// A row is needed once less.
  @inline(__always) func release(_ id: MatchRowID) {
    needed[Int(id.block)] &-= 1
    neededCount &-= 1
    if needed[Int(id.block)] == 0, id.block != held { drop(id.block) }
  }

  /// How many rows of a block are needed.
  func neededCount(of index: Int32) -> Int { Int(needed[Int(index)]) }
}
