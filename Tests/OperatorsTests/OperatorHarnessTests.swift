import Operators
import State
import StreamModel
import TestSupport
import Testing

/// Broken on purpose, in one way each.
private final class Flawed: StreamOperator {
  enum Flaw {
    case none, seesBatches, forgets, leavesState, emitsBehind, judgesByWatermark, dependsOnInterleaving, reusesMemory
  }
  private let flaw: Flaw
  private var rows = 0
  private var watermark = EventTimes.minimum
  private var keyedState: OperatorState?
  private var held: [RecordBatch] = []
  private let memory = Memory(capacityBytes: 1 << 16)

  init(_ flaw: Flaw) { self.flaw = flaw }

  func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    rows += batch.count
    switch flaw {
    case .none: output.emit(batch)
    case .seesBatches: if batch.count != 7 { output.emit(batch) }
    case .forgets: output.emit(batch, rows: (0..<batch.count).filter { rows - batch.count + $0 >= 3 }.map { Int32($0) })
    case .leavesState: output.emit(batch)
    case .emitsBehind: held.append(batch)
    case .judgesByWatermark: if watermark < 40 { output.emit(batch) }
    case .reusesMemory:
      memory.base.copyMemory(from: batch.columns[1].int64s, byteCount: batch.count * 8)
      let values = Column(type: .int64, count: batch.count, values: memory)
      output.emit(batch.with(schema: batch.schema, columns: [batch.columns[0], values]))
    case .dependsOnInterleaving: if input == 1 || rows > 5 { output.emit(batch) }
    }
  }

  func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    guard watermark == .maximum else { return }
    for batch in held { output.emit(batch) }
    held.removeAll()
  }

  func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
  }

  func snapshot() throws(OperatorError) -> EventTime {
    if flaw == .leavesState {
      do { try keyedState?.addRun { (run) throws(StateError) in try run.put([0, 0, 0, 0, 0, 1], []) } } catch {
        throw .state("\(error)")
      }
    }
    return watermark
  }
}

@Suite struct OperatorHarnessTests {
  static let schema = Schema([Field("key", .string), Field("value", .int64)])

  static func script() -> OperatorScript {
    var script = OperatorScript([schema, schema])
    for step in 0..<40 {
      script.row(at: Int64(step * 2), input: step % 20 < 10 ? 0 : 1, ["\(step % 3)", .int64(Int64(step))])
      if step % 5 == 4 { script.watermark(Int64(step * 2) - 1) }
    }
    return script
  }

  private func harness(_ flaw: Flawed.Flaw) -> OperatorHarness {
    OperatorHarness(keys: [[0], [0]], comparison: .rowsInOrder(ofKey: [0])) { Flawed(flaw) }
  }

  @Test func aSoundOperatorPasses() throws {
    let output = try harness(.none).check(Self.script())
    #expect(output.main.count == 40)
  }

  @Test(arguments: [
    "seesBatches", "forgets", "leavesState", "emitsBehind", "judgesByWatermark", "interleaving", "reusesMemory",
  ])
  func aFlawedOperatorIsFoundOut(_ name: String) {
    let flaws: [String: Flawed.Flaw] = [
      "seesBatches": .seesBatches, "forgets": .forgets, "leavesState": .leavesState, "emitsBehind": .emitsBehind,
      "judgesByWatermark": .judgesByWatermark, "interleaving": .dependsOnInterleaving,
      "reusesMemory": .reusesMemory,
    ]
    var harness = harness(flaws[name]!)
    harness.keys = nil
    harness.comparison = .rows
    harness.inputsCommute = true
    #expect(throws: HarnessFailure.self) { try harness.check(Self.script()) }
  }

  @Test func anImpossibleScriptIsRefused() {
    var script = OperatorScript(Self.schema)
    script.watermark(100)
    script.row(at: 100, ["a", 1])
    #expect(throws: HarnessFailure.self) { try harness(.none).check(script) }
  }

  @Test func interleavingAnew_keepsEachInputsOrderAndNeverPutsAWatermarkBeforeItsRows() throws {
    try TestSeeds.each(20) { random in
      let script = Self.script()
      let other = script.interleavedAnew(&random)
      #expect(other.fault == nil)
      #expect(other.elements.count == script.elements.count)
      for input in 0...1 {
        #expect(
          other.rows.filter { $0.input == input }.map(\.row) == script.rows.filter { $0.input == input }.map(\.row))
      }
    }
  }

  @Test func aManualClockOnlyGoesForward() {
    let clock = ManualClock(milliseconds: 10)
    clock.advance(byMilliseconds: 5)
    clock.advance(toMilliseconds: 12)
    #expect(clock.milliseconds == 15)
  }

  @Test func aPartitionedScript_isAlwaysPossibleAndHasRowsBehind() throws {
    try TestSeeds.each(20) { random in
      var partitioned = PartitionedScript([Self.schema, Self.schema])
      partitioned.disorder = 100
      partitioned.delay = 30
      let script = partitioned.make(&random) { random, _, partition, _ in ["\(partition)", .int64(random.int(0...9))] }
      #expect(script.fault == nil)
      #expect(script.rows.contains { $0.row.isBehind })
      #expect(script.elements.contains { if case .watermark = $0 { true } else { false } })
    }
  }
}
