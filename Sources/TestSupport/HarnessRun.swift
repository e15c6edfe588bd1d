import Operators
import State
import StreamModel

/// One run of one variant: gathers rows into batches, delivers them and the watermarks, and moves the state at pauses.
final class HarnessRun {
  let output: CapturedOutput
  private let harness: OperatorHarness
  private let inputs: [Schema]
  private let variant: HarnessVariant
  private var random: SeededRandom
  private var operators: [any StreamOperator]
  private var handedOn: [EventTime]
  private let clock = ManualClock()
  private let state = TestState()
  private var gathered: [TestRow] = []
  private var gatheredInput = 0
  private var limit = 1
  private var watermark: EventTime?

  init(_ harness: OperatorHarness, _ inputs: [Schema], _ variant: HarnessVariant, _ random: SeededRandom) throws {
    self.harness = harness
    self.inputs = inputs
    self.variant = variant
    self.random = random
    operators = [harness.make()]
    handedOn = [EventTimes.minimum]
    output = CapturedOutput(reading: harness.readPorts)
    limit = nextLimit()
    try state.attach(operators[0])
  }

  /// What is left in the state, as text.
  func entriesLeft() throws -> [String] {
    try state.snapshot(operators)
    return try state.entries().map { "\($0.key): \($0.value)" }
  }

  func play(_ element: OperatorScript.Element) throws {
    switch element {
    case .row(let row, let input):
      if input != gatheredInput { try deliverRows() }
      gatheredInput = input
      gathered.append(row)
      if gathered.count >= limit { try deliverRows() }
    case .watermark(let time):
      watermark = time
      if gathered.isEmpty { try deliverWatermark(isForced: variant.watermarks == .prompt) }
    case .clock(let time):
      try deliverRows()
      try deliverWatermark(isForced: true)
      clock.advance(toMilliseconds: time)
      try each { try onTimer($0) }
      try pause()
    }
  }

  func end() throws {
    try deliverRows()
    watermark = EventTimes.maximum
    try deliverWatermark(isForced: true)
    try each { try $0.finish(output: output) }
  }

  private func onTimer(_ target: any StreamOperator) throws {
    guard let due = target.nextTimer, due <= clock.milliseconds else { return }
    try target.onTimer(clock.milliseconds, output: output)
  }

  private func nextLimit() -> Int {
    switch variant.cut {
    case .every(let size): size
    case .random: Int(random.int(1...40))
    }
  }

  private func each(_ body: (any StreamOperator) throws -> Void) rethrows {
    for index in operators.indices {
      output.handedOn = handedOn[index]
      try body(operators[index])
    }
  }

  /// Delivers what was gathered as one batch, or as one batch for each operator that owns some of its keys.
  private func deliverRows() throws {
    guard !gathered.isEmpty else { return }
    let batch = TestRows(inputs[gatheredInput], gathered).batch()
    gathered.removeAll(keepingCapacity: true)
    limit = nextLimit()
    for (index, part) in parts(batch).enumerated() where part.count > 0 {
      output.handedOn = handedOn[index]
      try operators[index].process(part, input: gatheredInput, to: output)
      try operators[index].endRound(to: output)
      if variant.spills, random.chance(0.5) { try operators[index].spill() }
    }
    try pause()
    try deliverWatermark(isForced: variant.watermarks == .prompt)
  }

  private func deliverWatermark(isForced: Bool) throws {
    guard let time = watermark, isForced || random.chance(0.2) else { return }
    watermark = nil
    for index in operators.indices {
      output.handedOn = handedOn[index]
      try operators[index].advance(to: Watermark(time), output: output)
      let next = operators[index].outputWatermark(for: Watermark(time)).time
      if next > time { throw HarnessFailure("watermark \(next) was handed on for \(time)") }
      handedOn[index] = max(handedOn[index], next)
    }
    try pause()
  }

  /// The rows of each operator's key groups, with their hashes as an exchange by key leaves them.
  private func parts(_ batch: RecordBatch) -> [RecordBatch] {
    guard operators.count > 1, let key = harness.keys?[gatheredInput] else { return [batch] }
    let encoder = KeyEncoder(keyColumns: key)
    encoder.encode(batch)
    let hashes = ColumnBuilder(.int64, capacity: batch.count)
    var rows = [[Int32]](repeating: [], count: operators.count)
    for row in 0..<batch.count {
      hashes.append(int64: Int64(bitPattern: encoder.hashes[row]))
      let group = KeyGroup.of(hash: encoder.hashes[row])
      rows[KeyGroup.subtask(ofGroup: group, parallelism: operators.count)].append(Int32(row))
    }
    let keyed = RecordBatch(
      schema: batch.schema, columns: batch.columns, count: batch.count, eventTimes: batch.eventTimes,
      stamps: batch.stamps, origin: batch.origin, keyHashes: KeyHashes(columns: key, hashes: hashes.finish()))
    return rows.map { keyed.gather($0) }
  }

  private func pause() throws {
    guard variant.pause != .nothing else { return }
    let parallelism = variant.pause == .rescale ? operators.count % 3 + 1 : 1
    let watermark = try state.snapshot(operators)
    state.restart()
    let reach = handedOn.min() ?? EventTimes.minimum
    operators = try (0..<parallelism).map { subtask in
      let fresh = harness.make()
      let keyGroups = KeyGroup.range(ofSubtask: subtask, parallelism: parallelism)
      try state.attach(fresh, keyGroups: keyGroups, watermark: watermark)
      return fresh
    }
    handedOn = [EventTime](repeating: reach, count: parallelism)
  }
}
