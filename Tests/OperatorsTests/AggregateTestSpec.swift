import Expressions
import Operators
import StreamModel
import TestSupport

/// An aggregate as a topology would write it, over the tests' own schema.
struct AggregateTestSpec {
  static let schema = Schema([
    Field("id", .string), Field("part", .int64), Field("x", .int64), Field("amount", .decimal(precision: 18, scale: 3)),
    Field("wide", .decimal(precision: 38, scale: 2)), Field("d", .double), Field("s", .string), Field("flag", .boolean),
    Field("zone", .string), Field("day", .int64),
  ])

  var key = ["id", "part"]
  var window: WindowSpec
  var values: [(name: String, text: String)] = [("n", "count(*)"), ("total", "sum(amount)"), ("last_x", "last(x)")]
  var lateness: Int64 = 0
  var early: Int64?
  var every: Int64 = 1000

  init(_ window: WindowSpec) { self.window = window }

  var hasWindow: Bool { window != .none }
  var hasPane: Bool { hasWindow && (early != nil || lateness > 0) }
  var keyPositions: [Int] { key.compactMap { Self.schema.index(of: $0) } }

  /// The output's columns that name one result: the key and the window.
  var resultKey: [Int] { Array(0..<key.count + (hasWindow ? 2 : 0)) }

  func spec() throws -> AggregateSpec {
    var fields = keyPositions.map { Self.schema[$0] }
    if hasWindow { fields += ["window_start", "window_end"].map { Field($0, .timestamp, nullable: false) } }
    let checked = try values.map { AggregateSpec.Value(name: $0.name, expression: try Self.aggregate($0.text)) }
    fields += checked.map { Field($0.name, $0.expression.type, nullable: $0.expression.nullable) }
    if hasPane { fields.append(Field("pane", .string, nullable: false)) }
    return AggregateSpec(
      key: keyPositions, window: window, values: checked, allowedLatenessMilliseconds: lateness,
      earlyMilliseconds: early, everyMilliseconds: every, outputSchema: Schema(fields))
  }

  static func aggregate(_ text: String) throws -> AggregateExpression {
    switch ExpressionChecker.aggregate(text, schema: schema) {
    case .valid(let expression): return expression
    case .faults(let faults): throw HarnessFailure("\(text): \(faults)")
    }
  }

  func harness(isKeyed: Bool = true) throws -> OperatorHarness {
    let spec = try spec()
    return OperatorHarness(
      keys: isKeyed ? [keyPositions] : nil,
      comparison: hasPane || !hasWindow ? .finalRows(ofKey: resultKey) : .rowsInOrder(ofKey: Array(0..<key.count)),
      leavesState: !hasWindow
    ) { AggregateOperator.make(spec) }
  }

  /// One row of the tests' schema; columns that are not named are null.
  static func row(_ values: [String: Value]) -> [Value] { schema.fields.map { values[$0.name] ?? .null } }
}

/// Random rows of the tests' schema.
enum AggregateTestRows {
  static let zones = ["Africa/Casablanca", "Europe/Dublin", "America/New_York", "UTC"]

  static func values(_ random: inout SeededRandom, id: Value, part: Int64) -> [Value] {
    let zone = zones[Int(random.int(0...3))]
    func maybe(_ value: Value) -> Value { random.chance(0.15) ? .null : value }
    return AggregateTestSpec.row([
      "id": id, "part": .int64(part), "x": maybe(.int64(random.int(-50...50))),
      "amount": maybe(.decimal(Int128(random.int(-5000...5000)), scale: 3)),
      "wide": maybe(.decimal(Int128(random.int(-1_000_000...1_000_000)) * 1_000_000_007, scale: 2)),
      "d": maybe(.double(Double(random.int(-400...400)) / 4)),
      "s": maybe(.string("text-" + String(repeating: "x", count: Int(random.int(0...20))) + "\(random.int(0...9))")),
      "flag": maybe(.boolean(random.chance(0.5))), "zone": .string(zone), "day": .int64(random.int(1...31)),
    ])
  }

  /// A stream of `partitions`. Where rows may be behind, each key is of one partition; else keys are spread.
  static func script(
    _ random: inout SeededRandom, partitions: Int, rows: Int = 180, keys: Int64 = 4, behind: Bool, step: Int64 = 10,
    start: EventTime = 1000, placed: Bool = false
  ) -> OperatorScript {
    var stream = PartitionedScript([AggregateTestSpec.schema])
    stream.partitions = partitions
    stream.rows = rows
    stream.step = step
    stream.start = start
    stream.disorder = step * 12
    stream.delay = behind ? random.int(0...step * 4) : step * 12
    stream.lead = step * 20
    stream.hasPlaces = placed
    return stream.make(&random) { random, _, partition, _ in
      let id = random.int(0...keys)
      return values(&random, id: id == 0 ? .null : .string("id-\(id)"), part: behind ? Int64(partition) : 0)
    }
  }
}
