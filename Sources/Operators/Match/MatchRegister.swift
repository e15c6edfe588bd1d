import Expressions
import StreamModel

/// What a thread knows of one reference: enough to go on with by one row, so that a long match costs no more a row than a
/// short one.
enum MatchRegister: Hashable, Sendable {
  case empty
  /// The first rows of the variable, or its last ones, the newest last: as many as the reference's offset needs.
  case values([Value])
  case value(Value)
  case count(Int64)
  case exactSum(Int128, rows: Int64, overflows: Bool)
  case doubleSum(Double, rows: Int64)
  case distinct(Set<Value>)
  /// Welford's running mean and sum of squared deviations.
  case deviation(rows: Double, mean: Double, squares: Double)

  /// With one more row of the reference's variable, `value` being the reference's argument there.
  func adding(_ value: Value, _ reference: PatternReference) -> MatchRegister {
    switch reference.kind {
    case .current: return self
    case .previous: return .value(value)
    case .first(let offset):
      guard case .values(let known) = self else { return .values([value]) }
      return known.count > offset ? self : .values(known + [value])
    case .last(let offset):
      guard case .values(var known) = self else { return .values([value]) }
      if known.count > offset { known.removeFirst() }
      known.append(value)
      return .values(known)
    case .aggregate(let function): return adding(value, function)
    }
  }

  private func adding(_ value: Value, _ function: AggregateFunction) -> MatchRegister {
    if function == .countAll { return count(adding: 1) }
    if value == .null { return self }
    switch function {
    case .countAll, .count: return count(adding: 1)
    case .countDistinct:
      guard case .distinct(var known) = self else { return .distinct([value]) }
      known.insert(value)
      return .distinct(known)
    case .sum, .avg: return sum(adding: value)
    case .min, .max:
      guard case .value(let known) = self else { return .value(value) }
      return MatchValues.isLess(value, known) == (function == .min) && value != known ? .value(value) : self
    case .stddevPop: return deviation(adding: value)
    case .first: return self == .empty ? .value(value) : self
    case .last: return .value(value)
    }
  }

  private func count(adding rows: Int64) -> MatchRegister {
    if case .count(let known) = self { .count(known + rows) } else { .count(rows) }
  }

  private func sum(adding value: Value) -> MatchRegister {
    if case .double(let number) = value {
      if case .doubleSum(let sum, let rows) = self { return .doubleSum(sum + number, rows: rows + 1) }
      return .doubleSum(number, rows: 1)
    }
    let number = MatchValues.unscaled(value)
    guard case .exactSum(let sum, let rows, let overflows) = self else {
      return .exactSum(number, rows: 1, overflows: false)
    }
    let (total, isOver) = sum.addingReportingOverflow(number)
    return .exactSum(isOver ? 0 : total, rows: rows + 1, overflows: overflows || isOver)
  }

  private func deviation(adding value: Value) -> MatchRegister {
    guard case .double(let number) = value else { return self }
    guard case .deviation(let rows, let mean, let squares) = self else {
      return .deviation(rows: 1, mean: number, squares: 0)
    }
    let next = mean + (number - mean) / (rows + 1)
    return .deviation(rows: rows + 1, mean: next, squares: squares + (number - mean) * (number - next))
  }

  // MARK: - Results

  /// What the reference gives; nil where that overflows.
  func result(_ reference: PatternReference) -> Value? {
    switch self {
    case .empty: return reference.nullable ? .null : .int64(0)
    case .values(let known):
      switch reference.kind {
      case .first(let offset): return offset < known.count ? known[offset] : .null
      case .last(let offset): return offset < known.count ? known[known.count - 1 - offset] : .null
      default: return .null
      }
    case .value(let value): return value
    case .count(let rows): return .int64(rows)
    case .distinct(let values): return .int64(Int64(values.count))
    case .doubleSum(let sum, let rows): return .double(isAverage(reference) ? sum / Double(rows) : sum)
    case .deviation(let rows, _, let squares): return .double((squares / rows).squareRoot())
    case .exactSum(let sum, let rows, let overflows):
      return overflows ? nil : exact(sum, rows, reference)
    }
  }

  private func isAverage(_ reference: PatternReference) -> Bool { reference.kind == .aggregate(.avg) }

  private func exact(_ sum: Int128, _ rows: Int64, _ reference: PatternReference) -> Value? {
    guard case .decimal(_, let scale) = reference.type else { return Int64(exactly: sum).map(Value.int64) }
    guard isAverage(reference) else {
      return Decimal.fits(sum, precision: DataType.maxDecimalPrecision) ? .decimal(sum, scale: scale) : nil
    }
    var argumentScale = 0
    if case .decimal(_, let scale)? = reference.argument?.type { argumentScale = scale }
    let (whole, rest) = sum.quotientAndRemainder(dividingBy: Int128(rows))
    let power = Decimal.powersOfTen[scale - argumentScale]
    let (scaled, overflow) = whole.multipliedReportingOverflow(by: power)
    let (dividend, restOverflow) = rest.multipliedReportingOverflow(by: power)
    guard !overflow, !restOverflow else { return nil }
    let average = scaled &+ Decimal.divide(dividend, Int128(rows), rounding: .halfAwayFromZero)
    return Decimal.fits(average, precision: DataType.maxDecimalPrecision) ? .decimal(average, scale: scale) : nil
  }
}

/// Single values in the order and as the numbers that aggregates need.
enum MatchValues {
  static func unscaled(_ value: Value) -> Int128 {
    switch value {
    case .int64(let number): Int128(number)
    case .decimal(let number, _): number
    default: 0
    }
  }

  /// Both of one type, neither null. Text goes by its bytes; NaN is the greatest double, as in SQL.
  static func isLess(_ left: Value, _ right: Value) -> Bool {
    switch (left, right) {
    case (.int64(let left), .int64(let right)), (.date(let left), .date(let right)),
      (.timestamp(let left), .timestamp(let right)):
      left < right
    case (.decimal(let left, _), .decimal(let right, _)): left < right
    case (.double(let left), .double(let right)): right.isNaN ? !left.isNaN : left < right
    case (.string(let left), .string(let right)): left.utf8.lexicographicallyPrecedes(right.utf8)
    case (.bytes(let left), .bytes(let right)): left.lexicographicallyPrecedes(right)
    case (.boolean(let left), .boolean(let right)): !left && right
    default: false
    }
  }
}
