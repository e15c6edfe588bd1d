import Formats
import Glibc
import Operators
import StreamModel
import Synchronization
import Testing

@testable import Connectors

/// Laws of a table in a file.
@Suite struct FileTableTests {
  static let layout = TableLayout(
    schema: Schema([
      Field("base", .string, nullable: false), Field("valid_from", .timestamp, nullable: false),
      Field("valid_to", .timestamp), Field("rate", .decimal(precision: 18, scale: 8), nullable: false),
    ]), key: [0], validity: .init(from: 1, to: 2), taken: [3], givesNulls: false)

  final class Notes: Sendable {
    private let texts = Mutex<[String]>([])
    func add(_ text: String) { texts.withLock { $0.append(text) } }
    var all: [String] { texts.withLock { $0 } }
  }

  /// A clock that a test moves.
  final class TestClock: Sendable {
    private let time = Atomic<Int64>(0)
    var nanoseconds: Int64 { time.load(ordering: .relaxed) }
    func advance(bySeconds seconds: Int64) { time.add(seconds * 1_000_000_000, ordering: .relaxed) }
  }

  static func table(
    _ path: String, format: Format = .csv(CSVOptions()), notes: Notes = Notes(), clock: TestClock = TestClock()
  ) throws(ConnectorError) -> FileTable {
    try FileTable(
      FileTableSpec(path: path, format: format), place: "steps.priced.lookup.table", layout: layout,
      notice: { notes.add($0) }, clock: { clock.nanoseconds })
  }

  /// The rate of a currency at a time; nil for none.
  static func rate(_ base: String, at time: EventTime, in table: FileTable) throws -> Value? {
    let column = Column.constant(.string(base), .string, count: 1)
    let batch = RecordBatch(
      schema: Schema([Field("currency", .string)]), columns: [column], count: 1,
      eventTimes: .constant(.timestamp(0), .timestamp, count: 1))
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(batch)
    let result = try table.find(LookupKeys(batch, columns: [0], encoder))
    guard result.slots[0] >= 0, let version = result.rows.version(of: result.slots[0], at: time) else { return nil }
    return result.rows.columns[0].value(at: Int(version.row))
  }

  static let day: Int64 = 86_400_000
  static let rates = """
    base,valid_from,valid_to,rate,remark
    EUR,1970-01-01T00:00:00Z,1970-01-02T00:00:00Z,1,
    EUR,1970-01-02T00:00:00Z,,1.5,"open, since"
    MAD,1970-01-02T00:00:00Z,1970-01-03T00:00:00Z,0.09123456,

    """

  @Test func aFileOfEitherFormatIsTheSameTable() throws {
    let scratch = Scratch()
    let lines = """
      {"base":"EUR","valid_from":"1970-01-01T00:00:00Z","valid_to":"1970-01-02T00:00:00Z","rate":1}
      {"base":"EUR","valid_from":"1970-01-02T00:00:00Z","rate":1.5}
      {"base":"MAD","valid_from":"1970-01-02T00:00:00Z","valid_to":"1970-01-03T00:00:00Z","rate":0.09123456}

      """
    let array = "\n [" + lines.split(separator: "\n").joined(separator: ",\n") + "]\n"
    let tables = [
      try Self.table(scratch.write("rates.csv", Self.rates)),
      try Self.table(scratch.write("rates.json", lines), format: .json),
      try Self.table(scratch.write("array.json", array), format: .json),
    ]
    for table in tables {
      #expect(try Self.rate("EUR", at: Self.day - 1, in: table) == .decimal(100_000_000, scale: 8))
      #expect(try Self.rate("EUR", at: Self.day, in: table) == .decimal(150_000_000, scale: 8))
      #expect(try Self.rate("EUR", at: 1_000 * Self.day, in: table) == .decimal(150_000_000, scale: 8))
      #expect(try Self.rate("MAD", at: Self.day - 1, in: table) == nil)
      #expect(try Self.rate("MAD", at: 2 * Self.day - 1, in: table) == .decimal(9_123_456, scale: 8))
      #expect(try Self.rate("MAD", at: 2 * Self.day, in: table) == nil)
      #expect(try Self.rate("USD", at: Self.day, in: table) == nil)
    }
  }

  @Test func whatIsNoTableIsRefusedWithItsPlace() {
    let scratch = Scratch()
    func fault(_ text: String?, format: Format = .csv(CSVOptions())) -> String? {
      let path = text.map { scratch.write("t", $0) } ?? "\(scratch.path)/none"
      do throws(ConnectorError) {
        _ = try Self.table(path, format: format)
        return nil
      } catch {
        return error.description.replacing(scratch.path, with: "")
      }
    }
    let header = "base,valid_from,valid_to,rate\n"
    #expect(
      fault(nil)
        == "steps.priced.lookup.table: /none: cannot open: No such file or directory — check the path; if it was there, put it back and start again"
    )
    #expect(
      fault(header + "EUR,1970-01-01T00:00:00Z,,1\nUSD,1970-01-01T00:00:00Z,,x\n")?
        .hasPrefix("steps.priced.lookup.table: /t: line 3: rate:") == true)
    #expect(
      fault(header + "EUR,1970-01-01T00:00:00Z,,1\nEUR,1970-01-05T00:00:00Z,,2\n")
        == "steps.priced.lookup.table: /t: base EUR: the versions [1970-01-01T00:00:00.000Z, open) and [1970-01-05T00:00:00.000Z, open) overlap — let each end where the next begins"
    )
    #expect(fault("base,valid_from\nEUR,1970-01-01T00:00:00Z\n")?.contains("the header lacks rate") == true)
    #expect(fault("[{\"base\":", format: .json)?.contains("no JSON at byte") == true)
  }

  @Test func aChangedFileIsReadAnew_andAFaultyOneLeavesTheTableAsItWas() throws {
    let scratch = Scratch()
    let (notes, clock) = (Notes(), TestClock())
    let path = scratch.write("rates.csv", Self.rates)
    let table = try Self.table(path, notes: notes, clock: clock)
    func replace(_ text: String) { rename(scratch.write("next.csv", text), path) }
    func eur() throws -> Value? { try Self.rate("EUR", at: Self.day, in: table) }

    replace("base,valid_from,valid_to,rate\nEUR,1970-01-02T00:00:00Z,,2\n")
    #expect(try eur() == .decimal(150_000_000, scale: 8), "it is not looked at more than once a second")
    clock.advance(bySeconds: 1)
    #expect(try eur() == .decimal(200_000_000, scale: 8))
    #expect(table.counters.reloads.value == 1 && notes.all.isEmpty)

    replace("base,valid_from,valid_to,rate\nEUR,1970-01-02T00:00:00Z,,3\nEUR,1970-01-02T00:00:00Z,,4\n")
    clock.advance(bySeconds: 1)
    #expect(try eur() == .decimal(200_000_000, scale: 8))
    clock.advance(bySeconds: 1)
    #expect(try eur() == .decimal(200_000_000, scale: 8))
    #expect(table.counters.reloads.value == 1 && table.counters.refusedReloads.value == 1)
    #expect(notes.all.count == 1 && notes.all[0].hasSuffix("the table stays as it was"), "\(notes.all)")

    unlink(path)
    for _ in 0..<3 {
      clock.advance(bySeconds: 1)
      #expect(try eur() == .decimal(200_000_000, scale: 8))
    }
    #expect(notes.all.count == 2 && notes.all[1].contains("is gone"), "\(notes.all)")

    replace("base,valid_from,valid_to,rate\nEUR,1970-01-02T00:00:00Z,,5\n")
    clock.advance(bySeconds: 1)
    #expect(try eur() == .decimal(500_000_000, scale: 8))
    #expect(notes.all.count == 2)
  }
}
