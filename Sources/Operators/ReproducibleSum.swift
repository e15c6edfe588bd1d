import State
import StreamModel

/// A sum of doubles that depends neither on the order of the rows nor on how they were cut into partial sums.
///
/// The number line of doubles is cut into *bins* of 64 bits at fixed places. A value is an integer times a power of two; each
/// bin adds up, as a signed integer, the bits that values have in it. The topmost bin that a value reaches and the two below
/// it are kept, so at least 129 bits under the largest value count, and what lies lower is cut off each value by itself.
/// Which bits of a value count is then decided by the largest value alone, and integers add up alike in any order. (The idea
/// of fixed bins is Demmel and Nguyen's, "Fast Reproducible Floating-Point Summation", 2013; integers in their place need no
/// care for carries before 2⁶³ values.)
///
/// Seven words at `offset`: the topmost bin with what was not finite, and three bins of 16 bytes.
struct ReproducibleSum {
  static let words = 7
  private static let binCount = 3
  /// The place of 2⁰: below it there is room for the square of the smallest double.
  private static let origin = 34 * 64
  private static let notFinite: (positive: UInt64, negative: UInt64, nan: UInt64) = (1 << 32, 1 << 33, 1 << 34)

  let offset: Int

  // MARK: - Adding

  @inline(__always) func add(_ value: Double, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, offset)
    guard value.isFinite else { return noteNotFinite(value, field) }
    let (magnitude, place) = ReproducibleSum.integer(value)
    add(magnitude, at: place + ReproducibleSum.origin, isNegative: value < 0, field)
  }

  /// Adds the square of `value`, exactly: a square past the largest double is no special case.
  @inline(__always) func addSquare(_ value: Double, _ records: RecordArea, _ slot: Int32) {
    let field = records.field(slot, offset)
    guard value.isFinite else { return noteNotFinite(value.magnitude, field) }
    let (magnitude, place) = ReproducibleSum.integer(value)
    let square = magnitude.multipliedFullWidth(by: magnitude)
    let lowest = 2 * place + ReproducibleSum.origin
    add(square.high, at: lowest + 64, isNegative: false, field)
    add(square.low, at: lowest, isNegative: false, field)
  }

  /// `value` as `magnitude · 2^place`, without its sign.
  @inline(__always) private static func integer(_ value: Double) -> (magnitude: UInt64, place: Int) {
    let bits = value.bitPattern
    let exponent = Int((bits >> 52) & 0x7FF)
    let fraction = bits & ((1 << 52) - 1)
    return exponent == 0 ? (fraction, -1074) : (fraction | 1 << 52, exponent - 1075)
  }

  private func noteNotFinite(_ value: Double, _ field: UnsafeMutableRawPointer) {
    let flag =
      value.isNaN
      ? ReproducibleSum.notFinite.nan
      : value > 0 ? ReproducibleSum.notFinite.positive : ReproducibleSum.notFinite.negative
    field.storeBytes(of: field.load(as: UInt64.self) | flag, as: UInt64.self)
  }

  @inline(__always) private func add(
    _ magnitude: UInt64, at place: Int, isNegative: Bool, _ field: UnsafeMutableRawPointer
  ) {
    if magnitude == 0 { return }
    let highest = (place + 63 - magnitude.leadingZeroBitCount) >> 6
    let top = raiseTop(to: highest, field)
    let wide = UInt128(magnitude) << UInt128(place & 63)
    let lowest = place >> 6
    addBits(UInt64(truncatingIfNeeded: wide), bin: top - lowest, isNegative, field)
    addBits(UInt64(truncatingIfNeeded: wide >> 64), bin: top - lowest - 1, isNegative, field)
  }

  @inline(__always) private func addBits(
    _ bits: UInt64, bin: Int, _ isNegative: Bool, _ field: UnsafeMutableRawPointer
  ) {
    if bits == 0 || bin >= ReproducibleSum.binCount { return }
    let sum = self.bin(bin, field)
    store(isNegative ? sum &- Int128(bits) : sum &+ Int128(bits), bin: bin, field)
  }

  @inline(__always) private func bin(_ bin: Int, _ field: UnsafeMutableRawPointer) -> Int128 {
    field.loadUnaligned(fromByteOffset: 8 + bin * 16, as: Int128.self)
  }

  @inline(__always) private func store(_ sum: Int128, bin: Int, _ field: UnsafeMutableRawPointer) {
    field.storeBytes(of: sum, toByteOffset: 8 + bin * 16, as: Int128.self)
  }

  /// The number of the topmost bin; 0 where nothing but zeros was added.
  @inline(__always) private func top(_ field: UnsafeMutableRawPointer) -> Int { Int(field.load(as: UInt32.self)) }

  /// Makes bin `highest` the topmost if it lies higher; what falls out at the bottom is gone. Returns the topmost.
  @inline(__always) private func raiseTop(to highest: Int, _ field: UnsafeMutableRawPointer) -> Int {
    let top = top(field)
    if highest <= top { return top }
    shiftDown(by: highest - top, field)
    field.storeBytes(of: UInt32(highest), as: UInt32.self)
    return highest
  }

  private func shiftDown(by bins: Int, _ field: UnsafeMutableRawPointer) {
    for bin in stride(from: ReproducibleSum.binCount - 1, through: 0, by: -1) {
      store(bin >= bins ? self.bin(bin - bins, field) : 0, bin: bin, field)
    }
  }

  func update(_ records: RecordArea, _ rows: RowSelection, _ column: Column) {
    let values = column.doubles
    for index in 0..<rows.count { add(values[Int(rows.rows[index])], records, rows.slots[index]) }
  }

  func merge(_ records: RecordArea, _ slot: Int32, from otherRecords: RecordArea, _ otherSlot: Int32) {
    let field = records.field(slot, offset)
    let other = otherRecords.field(otherSlot, offset)
    let otherTop = top(other)
    let top = raiseTop(to: otherTop, field)
    for bin in 0..<ReproducibleSum.binCount where bin + top - otherTop < ReproducibleSum.binCount {
      let target = bin + top - otherTop
      store(self.bin(target, field) &+ self.bin(bin, other), bin: target, field)
    }
    let flags = other.load(as: UInt64.self) & ~UInt64(UInt32.max)
    field.storeBytes(of: field.load(as: UInt64.self) | flags, as: UInt64.self)
  }

  // MARK: - Reading

  /// The sum, as near as a double comes to it.
  func load(_ records: RecordArea, _ slot: Int32) -> Double {
    let field = records.field(slot, offset)
    if let special = special(field) { return special }
    var total = Carried(field, self)
    var place = (top(field) - 2) * 64 - ReproducibleSum.origin
    if total.high == 0 {
      if total.low == 0 { return 0 }
      (total.high, total.low) = (total.low, 0)
    } else {
      place += 128
    }
    let zeros = total.high.leadingZeroBitCount
    let upper = zeros == 0 ? total.high : total.high << UInt128(zeros) | total.low >> UInt128(128 - zeros)
    // The lowest bit says whether there is anything below: there is one rounding, and it is right.
    let hasMore = UInt64(truncatingIfNeeded: upper) != 0 || total.low << UInt128(zeros) != 0
    let head = UInt64(truncatingIfNeeded: upper >> 64) | (hasMore ? 1 : 0)
    let value = Double(sign: .plus, exponent: place - zeros + 64, significand: Double(head))
    return total.isNegative ? -value : value
  }

  /// The sum without its sign, to the last bit that is kept; nil where something added was not finite.
  func magnitude(_ records: RecordArea, _ slot: Int32) -> WideMagnitude? {
    let field = records.field(slot, offset)
    if special(field) != nil { return nil }
    let total = Carried(field, self)
    let limbs = [total.low, total.low >> 64, total.high, total.high >> 64].map { UInt64(truncatingIfNeeded: $0) }
    return WideMagnitude(limbs, place: (top(field) - 2) - ReproducibleSum.origin / 64)
  }

  private func special(_ field: UnsafeMutableRawPointer) -> Double? {
    let word = field.load(as: UInt64.self)
    if word >> 32 == 0 { return nil }
    let (positive, negative, nan) = ReproducibleSum.notFinite
    if word & nan != 0 || (word & positive != 0 && word & negative != 0) { return .nan }
    return word & positive != 0 ? .infinity : -.infinity
  }

  /// The bins carried upwards into one number: `±(high · 2¹²⁸ + low)`, in units of the lowest bin.
  private struct Carried {
    let isNegative: Bool
    var high: UInt128
    var low: UInt128

    init(_ field: UnsafeMutableRawPointer, _ sum: ReproducibleSum) {
      let lowest = sum.bin(2, field)
      let middle = sum.bin(1, field) &+ (lowest >> 64)
      high = UInt128(bitPattern: sum.bin(0, field) &+ (middle >> 64))
      low = UInt128(UInt64(truncatingIfNeeded: middle)) << 64 | UInt128(UInt64(truncatingIfNeeded: lowest))
      isNegative = Int128(bitPattern: high) < 0
      if isNegative {
        low = ~low &+ 1
        high = low == 0 ? ~high &+ 1 : ~high
      }
    }
  }

  // MARK: - State

  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter) {
    let field = records.field(slot, offset)
    writer.write(field.load(as: UInt64.self))
    for bin in 0..<ReproducibleSum.binCount { writer.write(self.bin(bin, field)) }
  }

  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError) {
    let field = records.field(slot, offset)
    field.storeBytes(of: try reader.readUInt64(), as: UInt64.self)
    for bin in 0..<ReproducibleSum.binCount { store(try reader.readInt128(), bin: bin, field) }
  }

  // MARK: - Overflow

  func magnitude(of column: Column, count: Int) -> Double {
    var sum = 0.0
    for row in 0..<count where column.doubles[row].isFinite { sum += abs(column.doubles[row]) }
    return sum
  }

  func magnitude(_ records: RecordArea, slotCount: Int) -> Double {
    var sum = 0.0
    for slot in 0..<Int32(slotCount) {
      let value = load(records, slot)
      if value.isFinite { sum += abs(value) }
    }
    return sum
  }

  /// Whether finite partial sums and a finite row add up to what is not.
  func overflows(_ partials: SumPartials, _ column: Column, row: Int) -> Bool {
    var sum = column.doubles[row]
    for partial in partials.places {
      let value = load(partial.records, partial.slot)
      guard sum.isFinite, value.isFinite else { return false }
      sum += value
      if !sum.isFinite { return true }
    }
    return false
  }
}
