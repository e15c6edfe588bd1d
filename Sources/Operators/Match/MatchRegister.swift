import Expressions
import StreamModel

/// Where a thread keeps what it knows of one reference, and how that goes on by a row.
struct MatchRegister {
  /// What is kept, and in how many bytes.
  enum Form: UInt8 {
    /// Nothing: the reference is to the row that is tried, or to one before it in the stream.
    case nothing
    /// How many rows there were, up to the one that is meant, and that one.
    case nth
    /// How many there were, up to as many as are kept, and the last ones, the newest first.
    case latest
    /// The row before the variable's last.
    case before
    case countRows, countValues
    case least, greatest, firstValue, lastValue
    /// Sum, number of values, and whether it was ever too large.
    case exactSum
    case doubleSum
    /// Welford's running mean and sum of squared deviations.
    case deviation
    /// In the thread's sets.
    case distinct

    init(_ reference: PatternReference) {
      switch reference.kind {
      case .current: self = .nothing
      case .previous: self = reference.variable == nil ? .nothing : .before
      case .first: self = .nth
      case .last: self = .latest
      case .aggregate(let function): self = Form(function, reference.argument?.type)
      }
    }

    private init(_ function: AggregateFunction, _ type: DataType?) {
      switch function {
      case .countAll: self = .countRows
      case .count: self = .countValues
      case .countDistinct: self = .distinct
      case .sum, .avg: self = type == .double ? .doubleSum : .exactSum
      case .min: self = .least
      case .max: self = .greatest
      case .stddevPop: self = .deviation
      case .first: self = .firstValue
      case .last: self = .lastValue
      }
    }

    func bytes(_ reference: PatternReference) -> Int {
      switch self {
      case .nothing, .distinct: 0
      case .before, .least, .greatest, .firstValue, .lastValue: 4
      case .nth, .countRows, .countValues: 8
      case .latest: 4 * (MatchRegister.distance(reference) + 2)
      case .exactSum: 32
      case .doubleSum: 16
      case .deviation: 24
      }
    }
  }

  let form: Form
  let reference: Int32
  let offset: Int32
  /// How many rows the one that is meant lies behind the first, or before the last.
  let distance: Int32
  /// Which of the thread's sets is its own.
  let set: Int32

  static let noRow = Int32.min

  static func distance(_ reference: PatternReference) -> Int {
    switch reference.kind {
    case .first(let offset), .last(let offset), .previous(let offset): offset
    case .current, .aggregate: 0
    }
  }

  /// Whether it is one row or none.
  var holdsRow: Bool {
    switch form {
    case .before, .least, .greatest, .firstValue, .lastValue: true
    default: false
    }
  }

  // MARK: - Going on

  /// With one more row of the reference's variable, that at `place`.
  @inline(__always) func add(to cell: UnsafeMutableRawPointer, _ place: Int, _ rows: MatchRows) {
    let row = Int32(truncatingIfNeeded: place &- rows.start)
    switch form {
    case .nothing, .distinct: break
    case .nth:
      let count = cell.load(as: Int32.self)
      guard count <= distance else { return }
      cell.storeBytes(of: count &+ 1, as: Int32.self)
      cell.storeBytes(of: row, toByteOffset: 4, as: Int32.self)
    case .latest: addLatest(cell, row)
    case .before:
      let before = place &- Int(distance)
      cell.storeBytes(
        of: before >= 0 ? Int32(truncatingIfNeeded: before &- rows.start) : MatchRegister.noRow, as: Int32.self)
    case .countRows: cell.storeBytes(of: cell.load(as: Int64.self) &+ 1, as: Int64.self)
    default:
      let argument = rows.argument(Int(reference), at: place)
      if argument.isValid { add(argument, to: cell, row, rows) }
    }
  }

  private func addLatest(_ cell: UnsafeMutableRawPointer, _ row: Int32) {
    let kept = Int(distance) &+ 1
    let count = Int(cell.load(as: Int32.self))
    let rows = cell + 4
    if kept > 1 { (rows + 4).copyMemory(from: rows, byteCount: min(count, kept &- 1) &* 4) }
    rows.storeBytes(of: row, as: Int32.self)
    if count < kept { cell.storeBytes(of: Int32(truncatingIfNeeded: count &+ 1), as: Int32.self) }
  }

  /// Of a reference to values that are not null.
  @inline(__always) private func add(
    _ argument: MatchArgumentCell, to cell: UnsafeMutableRawPointer, _ row: Int32, _ rows: MatchRows
  ) {
    switch form {
    case .countValues: cell.storeBytes(of: cell.load(as: Int64.self) &+ 1, as: Int64.self)
    case .exactSum:
      let (sum, isOver) = cell.load(as: Int128.self).addingReportingOverflow(argument.unscaled)
      cell.storeBytes(of: isOver ? 0 : sum, as: Int128.self)
      cell.storeBytes(of: cell.load(fromByteOffset: 16, as: Int64.self) &+ 1, toByteOffset: 16, as: Int64.self)
      if isOver { cell.storeBytes(of: 1, toByteOffset: 24, as: Int64.self) }
    case .doubleSum:
      cell.storeBytes(of: cell.load(as: Double.self) + argument.double, as: Double.self)
      cell.storeBytes(of: cell.load(fromByteOffset: 8, as: Int64.self) &+ 1, toByteOffset: 8, as: Int64.self)
    case .deviation: addDeviation(cell, argument.double)
    case .firstValue:
      if cell.load(as: Int32.self) == MatchRegister.noRow { cell.storeBytes(of: row, as: Int32.self) }
    case .lastValue: cell.storeBytes(of: row, as: Int32.self)
    case .least, .greatest:
      let known = cell.load(as: Int32.self)
      guard known != MatchRegister.noRow else { return cell.storeBytes(of: row, as: Int32.self) }
      let other = rows.argument(Int(reference), at: rows.start &+ Int(known))
      let isNew = form == .least ? argument.isLess(than: other) : other.isLess(than: argument)
      if isNew { cell.storeBytes(of: row, as: Int32.self) }
    default: break
    }
  }

  private func addDeviation(_ cell: UnsafeMutableRawPointer, _ number: Double) {
    let rows = cell.load(as: Double.self) + 1
    cell.storeBytes(of: rows, as: Double.self)
    guard rows > 1 else { return cell.storeBytes(of: number, toByteOffset: 8, as: Double.self) }
    let mean = cell.load(fromByteOffset: 8, as: Double.self)
    let next = mean + (number - mean) / rows
    let squares = cell.load(fromByteOffset: 16, as: Double.self) + (number - mean) * (number - next)
    cell.storeBytes(of: next, toByteOffset: 8, as: Double.self)
    cell.storeBytes(of: squares, toByteOffset: 16, as: Double.self)
  }

  /// Adds the row's value to the distinct ones.
  func note(_ sets: inout [Set<Value>], _ place: Int, _ rows: MatchRows) {
    let value = rows.value(Int(reference), at: place)
    if value != .null { sets[Int(set)].insert(value) }
  }

  // MARK: - Comparing

  /// Whether two threads know the same of the reference: whatever comes, it has the same value in both.
  func isSame(
    _ one: UnsafeMutableRawPointer, _ other: UnsafeMutableRawPointer, _ rows: MatchRows
  ) -> Bool {
    let (cell, otherCell) = (one + Int(offset), other + Int(offset))
    func same<Cell: Equatable & BitwiseCopyable>(_ at: Int, _: Cell.Type) -> Bool {
      cell.load(fromByteOffset: at, as: Cell.self) == otherCell.load(fromByteOffset: at, as: Cell.self)
    }
    func sameRow(_ at: Int) -> Bool {
      rows.isSame(
        Int(reference), cell.load(fromByteOffset: at, as: Int32.self),
        otherCell.load(fromByteOffset: at, as: Int32.self))
    }
    switch form {
    case .nothing, .distinct: return true
    case .nth: return same(0, Int32.self) && (cell.load(as: Int32.self) <= distance || sameRow(4))
    case .latest:
      return same(0, Int32.self) && (0..<Int(cell.load(as: Int32.self))).allSatisfy { sameRow(4 + 4 * $0) }
    case .before, .least, .greatest, .firstValue, .lastValue: return sameRow(0)
    case .countRows, .countValues: return same(0, Int64.self)
    case .exactSum: return same(0, Int128.self) && same(16, Int64.self) && same(24, Int64.self)
    case .doubleSum: return same(0, Double.self) && same(8, Int64.self)
    case .deviation: return same(0, Double.self) && same(8, Double.self) && same(16, Double.self)
    }
  }
}
