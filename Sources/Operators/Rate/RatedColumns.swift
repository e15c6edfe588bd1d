#if canImport(Glibc)
  import Glibc
#endif
import StreamModel

/// What one row was rated at.
struct Rating {
  var cycle: BillingCycle
  var version: UInt64
  var quantity: Int64
  var free: Int64
  var rolled: Int64
  var billable: Int64
  var before: Int64
  /// Views; nil where nothing was billable, or no modifier applied.
  var prices: UInt64?
  var modifiers: UInt64?
  var base: Int128
  var charge: Int64
}

/// Gathers the columns that `rate` adds, row by row, for one batch at a time. One owner.
final class RatedColumns {
  private let fields: [Field]
  private let texts: TextPool
  private let currency: UInt64
  private var capacity = 0
  private var words: [Memory] = []
  /// Where the rows of each of `words` lie.
  private let targets = Scratch<UnsafeMutablePointer<Int64>>(capacity: RatedColumns.wordColumns.count)
  private var base = Memory(capacityBytes: 0)
  private let hasPrices = Scratch<UInt8>()
  private let hasModifiers = Scratch<UInt8>()
  private(set) var count = 0
  /// The rows that were rated.
  private var rowStorage = Scratch<Int32>()

  /// Columns of eight bytes a row, in the order of `RateColumns.fields`; the base charge, of sixteen, stands between them.
  private static let wordColumns = [0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12]
  private static let baseColumn = 9

  init(_ spec: RateSpec, _ texts: TextPool) {
    fields = Array(spec.outputSchema.fields[spec.inputSchema.count...])
    self.texts = texts
    currency = texts.view(of: spec.catalog.currency)
  }

  /// Makes room for `rows` rows of a new batch.
  func begin(_ rows: Int) {
    capacity = rows
    count = 0
    words = RatedColumns.wordColumns.map { _ in Memory(capacityBytes: rows * 8) }
    for (index, word) in words.enumerated() { targets.base[index] = word.base.assumingMemoryBound(to: Int64.self) }
    base = Memory(capacityBytes: rows * 16)
    _ = hasPrices.reserve(rows)
    _ = hasModifiers.reserve(rows)
    _ = rowStorage.reserve(rows)
  }

  @inline(__always) private func put(_ value: Int64, _ column: Int) {
    targets.base[column][count] = value
  }

  @inline(__always) func append(_ row: Int, _ rating: Rating) {
    rowStorage.base[count] = Int32(truncatingIfNeeded: row)
    put(rating.cycle.start, 0)
    put(rating.cycle.end, 1)
    put(Int64(bitPattern: rating.version), 2)
    put(rating.quantity, 3)
    put(rating.free, 4)
    put(rating.rolled, 5)
    put(rating.billable, 6)
    put(rating.before, 7)
    put(Int64(bitPattern: rating.prices ?? 0), 8)
    base.base.assumingMemoryBound(to: Int128.self)[count] = rating.base
    put(Int64(bitPattern: rating.modifiers ?? 0), 9)
    put(rating.charge, 10)
    put(Int64(bitPattern: currency), 11)
    hasPrices.base[count] = rating.prices == nil ? 0 : 1
    hasModifiers.base[count] = rating.modifiers == nil ? 0 : 1
    count &+= 1
  }

  var rows: UnsafeBufferPointer<Int32> { UnsafeBufferPointer(start: rowStorage.base, count: count) }

  /// The columns of the rows appended since `begin`, which are given away.
  func finish() -> [Column] {
    let area = texts.area
    let bytes = UnsafePointer(area.base.assumingMemoryBound(to: UInt8.self))
    var columns: [Column] = []
    var word = 0
    for (index, field) in fields.enumerated() {
      if index == RatedColumns.baseColumn {
        columns.append(Column(type: field.type, count: count, values: base))
        continue
      }
      let validity: Memory? =
        switch field.name {
        case "prices": bitmap(hasPrices)
        case "modifiers": bitmap(hasModifiers)
        default: nil
        }
      let isText = field.type.layout == .view
      columns.append(
        Column(
          type: field.type, count: count, values: words[word], validity: validity, bytes: isText ? bytes : nil,
          bytesOwner: isText ? area : nil))
      word += 1
    }
    return columns
  }

  /// A bit a row; nil where all are valid.
  private func bitmap(_ isValid: Scratch<UInt8>) -> Memory? {
    guard memchr(isValid.base, 0, count) != nil else { return nil }
    let bitmap = Memory(capacityBytes: (count + 7) / 8)
    let cells = bitmap.base.initializeMemory(as: UInt8.self, repeating: 0, count: (count + 7) / 8)
    for row in 0..<count { cells[row >> 3] |= isValid.base[row] << UInt8(row & 7) }
    return bitmap
  }
}
