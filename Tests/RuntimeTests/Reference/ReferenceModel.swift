import Operators
import StreamModel

/// What a topology should give for its input, worked out row by row: no batches, no subtasks, no watermarks that travel.
///
/// Written from the language's contract, not from the engine: every rule that decides about a row is a function of the row
/// and of those before it in its own partition, so that whole streams can be worked out one after another.
struct ReferenceModel {
  private let topology: TestTopology
  private let readPorts: Set<StreamName>
  private(set) var streams: [StreamName: [ReferenceRow]] = [:]
  private(set) var deadLetters: [ReferenceDeadLetter] = []
  private(set) var counts: [String: ReferenceCounts] = [:]

  /// Works `topology` out; `path` gives the absolute path of a file of a source.
  init(_ topology: TestTopology, path: (TestSource, InputFile) -> String) {
    self.topology = topology
    readPorts = Set(topology.steps.flatMap { $0.inputs + $0.rightInputs } + topology.sinks.flatMap(\.inputs))
    for (index, source) in topology.sources.enumerated() { read(source, index, path) }
    for step in topology.steps { work(step) }
  }

  func rows(of streams: [StreamName]) -> [ReferenceRow] {
    streams.flatMap { self.streams[$0] ?? [] }.inOrder()
  }

  // MARK: Sources

  private mutating func read(_ source: TestSource, _ index: Int, _ path: (TestSource, InputFile) -> String) {
    var rows: [ReferenceRow] = []
    var counts = ReferenceCounts()
    var highest: EventTime?
    for (partition, file) in source.files.enumerated() {
      if !source.isOnePartition { highest = nil }
      for (sequence, record) in file.placedRecords.enumerated() {
        let origin = ReferenceOrigin(
          source: source.name, file: path(source, file), offset: record.offset, record: record.bytes)
        counts.rowsIn += 1
        guard case .row(let values) = record.outcome, case .timestamp(let time) = values[source.eventTime] else {
          counts.failed += 1
          if source.reportsErrors { letter(source.name, "error", origin, nil) }
          continue
        }
        let stamp = highest.map { $0 - source.delay - 1 } ?? EventTimes.minimum
        highest = max(highest ?? time, time)
        rows.append(
          ReferenceRow(values: values, time: time, stamp: stamp, origin: origin, arrival: [index, partition, sequence]))
      }
    }
    counts.rowsOut = rows.count
    self.counts[source.name] = counts
    streams[StreamName(producer: source.name)] = rows
  }

  // MARK: Steps

  private mutating func work(_ step: TestStep) {
    let input = rows(of: step.inputs)
    var result: StepResult
    switch step.operation {
    case .filter(let condition): result = ReferenceSteps.filter(input, condition)
    case .project(let columns, let keepsColumns): result = ReferenceSteps.project(input, columns, keepsColumns)
    case .deduplicate(let key, let within, let isInterleaved):
      result = ReferenceSteps.deduplicate(isInterleaved ? input.inTime() : input, key, within)
    case .aggregate(let aggregate): result = ReferenceAggregate(aggregate).work(input)
    case .join(let join): result = ReferenceJoin(join).work(input, rows(of: step.rightInputs))
    }
    let rowsIn = input.count + (step.rightInputs.isEmpty ? 0 : rows(of: step.rightInputs).count)
    streams[StreamName(producer: step.name)] = result.rows.inOrder()
    for row in result.failed + result.failedResults { letter(step.name, "error", row.origin, row.time) }
    for (port, rows) in result.ports { divert(rows.inOrder(), step, port) }
    let varies = step.inputs.contains { counts[$0.producer]?.variesOut ?? false }
    counts[step.name] = ReferenceCounts(
      rowsIn: rowsIn, rowsOut: result.rows.count, failed: result.failed.count,
      failedResults: result.failedResults.count,
      ports: result.ports.mapValues(\.count).filter { $0.value > 0 }, variesIn: varies,
      variesOut: step.operation.repeatsResults || (varies && !step.choosesPane))
  }

  private mutating func divert(_ rows: [ReferenceRow], _ step: TestStep, _ port: SidePort) {
    let name = StreamName(producer: step.name, port: port)
    streams[name] = rows
    guard port == .late, !readPorts.contains(name) else { return }
    for row in rows { letter(step.name, "late", row.origin, row.time) }
  }

  private mutating func letter(_ step: String, _ port: String, _ origin: ReferenceOrigin?, _ time: EventTime?) {
    deadLetters.append(
      ReferenceDeadLetter(
        step: step, port: port, source: origin?.source, partition: origin?.file, offset: origin?.offset, time: time,
        record: origin?.record))
  }
}

/// What a step made of its input.
struct StepResult {
  var rows: [ReferenceRow] = []
  var ports: [SidePort: [ReferenceRow]] = [:]
  /// Rows that could not be evaluated.
  var failed: [ReferenceRow] = []
  /// Results that have no value.
  var failedResults: [ReferenceRow] = []
}
