import Operators
import StreamModel
import TestSupport

/// Makes random topologies whose results, TOPOLOGY.md says, do not depend on timing.
struct TopologyMaker {
  var random: SeededRandom
  var topology: TestTopology
  var streams: [TestStream] = []
  /// Typical distance of rows in event time: a second, a minute or six hours.
  let unit: Int64
  let isLocal: Bool
  let allowsBehind: Bool
  private var nextName = 1

  /// Shared by sources, so that their streams can be united.
  private let allFields: [Field]

  static func make(seed: UInt64) -> TestTopology {
    var maker = TopologyMaker(seed: seed)
    maker.addSources()
    let steps = maker.random.int(1...8)
    for _ in 0..<steps { maker.addTellingStep() }
    maker.addSinks()
    return maker.topology
  }

  /// Adds a step that gives rows, if one is found in a few attempts.
  private mutating func addTellingStep() {
    for _ in 0..<4 {
      var attempt = self
      attempt.addStep()
      random = attempt.random
      let name = attempt.topology.steps.last?.name ?? ""
      let counts = ReferenceModel(attempt.topology) { $0.name + $1.name }.counts[name]
      if let counts, counts.rowsOut > 0, counts.rowsOut < TopologyMaker.maxRows { return self = attempt }
    }
  }

  /// Joins of joins would take longer than they tell.
  private static let maxRows = 3000

  private init(seed: UInt64) {
    var random = SeededRandom(seed: seed)
    unit = [1000, 60_000, 21_600_000][Int(random.int(0...2))]
    isLocal = random.chance(0.7)
    allowsBehind = random.chance(0.6)
    let optional: [Field] = [
      Field("id", .string), Field("kind", .string), Field("i", .int64), Field("big", .int64),
      Field("d", .decimal(precision: 9, scale: 2)), Field("d2", .decimal(precision: 18, scale: 3)), Field("x", .double),
      Field("flag", .boolean), Field("at2", .timestamp), Field("code", .string), Field("text", .string),
      Field("zone", .string, nullable: false), Field("cycle", .int64, nullable: false),
    ]
    let chosen = optional.filter { _ in random.chance(0.65) }
    let time = Field("at", .timestamp, nullable: random.chance(0.5))
    allFields = ([Field("account", .string, nullable: false), time] + chosen).shuffled(using: &random)
    topology = TestTopology(name: "case-\(seed)", sources: [])
    self.random = random
  }

  mutating func freshName(_ prefix: String) -> String {
    defer { nextName += 1 }
    return "\(prefix)\(nextName)"
  }

  // MARK: Sources

  private mutating func addSources() {
    for index in 0..<(random.chance(0.4) ? 2 : 1) {
      let fields = index == 0 || random.chance(0.7) ? allFields : Array(allFields.reversed())
      let source = makeSource(index, fields)
      topology.sources.append(source)
      streams.append(
        TestStream(
          name: StreamName(producer: source.name), fields: fields,
          // Each file is written without rows behind; read as one partition, they may follow each other in any order.
          mayBeBehind: allowsBehind || source.isOnePartition, isLocal: isLocal, isVerbatim: true, sources: [index]))
    }
  }

  private mutating func makeSource(_ index: Int, _ fields: [Field]) -> TestSource {
    let name = "source\(index)"
    let delays: [Int64] = unit > 3_600_000 ? [0, 60_000, unit, 4 * unit] : [0, 1000, 10_000, 60_000]
    let format: TestSource.Format = random.chance(0.6) ? .json : .csv
    let isOnePartition = random.chance(0.15)
    let eventTime = fields.firstIndex { $0.name == "at" } ?? 0
    let delay = delays[Int(random.int(0...3))]
    let maker = InputMaker(
      fields: fields, format: format, eventTime: eventTime, delay: delay, step: unit, allowsBehind: allowsBehind)
    var files: [InputFile] = []
    let shared = (0..<6).map { "a\($0)" }
    for number in 0..<Int(random.int(1...4)) {
      let accounts =
        isLocal && !isOnePartition ? (0..<4).map { "a\(index)-\(number)-\($0)" } : shared.map { "\(index)" + $0 }
      let fileName = "part-\(number).\(format == .json ? "json" : "csv")"
      files.append(maker.file(fileName, accounts: isLocal ? accounts : shared, ids: 0...40, &random))
    }
    return TestSource(
      name: name, format: format, fields: fields, eventTime: eventTime, delay: delay, isOnePartition: isOnePartition,
      reportsErrors: random.chance(0.85), files: files)
  }

  // MARK: Sinks

  private mutating func addSinks() {
    let read = Set(topology.steps.flatMap { $0.inputs + $0.rightInputs })
    for stream in streams {
      let isLoose = !read.contains(stream.name) && stream.name.port == nil
      if isLoose ? random.chance(0.95) : random.chance(0.15) { addSink(stream) }
    }
    if topology.sinks.isEmpty, let last = streams.last { addSink(last) }
  }

  private mutating func addSink(_ stream: TestStream) {
    var inputs = [stream.name]
    if random.chance(0.2), let other = unionPartner(of: stream) { inputs.append(other.name) }
    topology.sinks.append(
      TestSink(
        name: freshName("sink"), inputs: inputs, format: random.chance(0.7) ? .json : .csv, fields: stream.fields,
        promise: stream.promise))
  }

  /// Another stream with the same columns.
  func unionPartner(of stream: TestStream) -> TestStream? {
    var random = random
    return streams.filter { other in
      other.name != stream.name && other.fields == stream.fields && other.isExact && stream.isExact
        && other.isMade == stream.isMade && other.hasEventTime == stream.hasEventTime
    }.randomElement(using: &random)
  }
}
