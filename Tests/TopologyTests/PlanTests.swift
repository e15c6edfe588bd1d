import Connectors
import Formats
import Operators
import StreamModel
import Testing

@testable import Topology

@Suite struct PlanTests {
  @Test func pathsAreAbsoluteAndRelativeToTheFile() throws {
    let plan = try load(valid)
    guard case .file(let source) = plan.sources[0].connector, case .file(let sink, let format) = plan.sinks[0].connector
    else {
      Issue.record("not files")
      return
    }
    #expect(source.path == "/t/data/usage")
    #expect(!source.isOnePartition)
    #expect(sink == "/t/out/t")
    #expect(format == .json)
    #expect(plan.file == "/t/topologies/t.yaml")
  }

  @Test func whatIsLeftOut_hasItsDefault() throws {
    let plan = try load(valid)
    #expect(plan.checkpoint == CheckpointSettings(directory: "/t/checkpoints"))
    #expect(plan.checkpoint.intervalMilliseconds == 10_000)
    #expect(plan.stateMemoryBytes == 256 << 20)
    #expect(plan.restart == RestartSettings())
    #expect(plan.parallelism >= 1)
    #expect(plan.sources[0].watermarkDelayMilliseconds == 0)
    #expect(plan.sources[0].idleAfterMilliseconds == nil)
    #expect(plan.sources[0].onError == .deadLetter)
    #expect(plan.sources[0].rate == nil)
    #expect(plan.sinks[0].delivery == .exactlyOnce)
    guard case .file("/t/checkpoints/t/dead-letters", .json) = plan.deadLetters.connector else {
      Issue.record("dead letters are at \(plan.deadLetters.connector)")
      return
    }
    #expect(plan.deadLetters.schema == DeadLetters.schema)
  }

  @Test func deduplicate_keepsTheColumnsAndHasItsPorts() throws {
    let step = try load(valid).steps[0]
    guard case .deduplicate(let spec) = step.operation else {
      Issue.record("not a deduplicate")
      return
    }
    #expect(spec.key == [0])
    #expect(spec.withinMilliseconds == 86_400_000)
    #expect(step.outputSchema == step.inputSchema)
    #expect(Set(step.ports.keys) == [.duplicates, .late])
  }
}

/// The columns that steps give.
@Suite struct StepPlanTests {
  private func step(_ steps: String, _ name: String = "a") throws -> StepPlan {
    let plan = try load(topology(steps: steps, sinks: [name]))
    return try #require(plan.steps.first { $0.name == name })
  }

  private let usage =
    "record_id string not null, account_id string not null, service string, quantity decimal(18,3), started_at timestamp not null, day int64"

  @Test func filter_keepsTheColumnsAndHasTheOthersOnRejected() throws {
    let step = try step("a: {from: usage, filter: quantity > 0, on_error: fail}")
    #expect(step.outputSchema.description == usage)
    #expect(step.ports == [.rejected: step.inputSchema])
    #expect(step.onError == .fail)
  }

  @Test func select_givesTheseColumnsAndNoOthers() throws {
    let step = try step("a: {from: usage, select: {id: record_id, day: day}}")
    #expect(step.outputSchema.description == "id string not null, day int64")
    guard case .project(let spec) = step.operation, case .column(0) = spec.items[0], case .column(5) = spec.items[1]
    else {
      Issue.record("bare columns are not passed on")
      return
    }
  }

  @Test func extend_replacesInPlaceAndAddsBehind() throws {
    let step = try step("a: {from: usage, extend: {more: day, service: account_id}}")
    #expect(
      step.outputSchema.description
        == usage.replacing("service string", with: "service string not null") + ", more int64")
  }

  @Test func windowedAggregate_givesKeyWindowAndValues() throws {
    let step = try step(
      "a: {from: usage, aggregate: {key: [account_id, service], window: {tumble: 1h, offset: -15m}, values: {n: count(*)}}}"
    )
    #expect(
      step.outputSchema.description
        == "account_id string not null, service string, window_start timestamp not null, window_end timestamp not null, n int64 not null"
    )
    #expect(Set(step.ports.keys) == [.late])
    guard case .aggregate(let spec) = step.operation else {
      Issue.record("not an aggregate")
      return
    }
    #expect(spec.window == .tumble(size: 3_600_000, offset: 2_700_000))
    #expect(spec.key == [1, 2])
    #expect(!spec.hasPane)
  }

  @Test(arguments: ["emit: {early: 10s}", "allowed_lateness: 5m"])
  func resultsThatMayComeSeveralTimes_carryPaneLast(setting: String) throws {
    let step = try step("a: {from: usage, aggregate: {window: {tumble: 1h}, values: {n: count(*)}, \(setting)}}")
    #expect(
      step.outputSchema.description
        == "window_start timestamp not null, window_end timestamp not null, n int64 not null, pane string not null")
    guard case .aggregate(let spec) = step.operation else {
      Issue.record("not an aggregate")
      return
    }
    #expect(spec.hasPane)
  }

  @Test func runningAggregate_givesKeyAndValues() throws {
    let step = try step("a: {from: usage, aggregate: {key: [service], values: {n: count(*)}, emit: {every: 5s}}}")
    #expect(step.outputSchema.description == "service string, n int64 not null")
    #expect(step.ports.isEmpty)
    guard case .aggregate(let spec) = step.operation else {
      Issue.record("not an aggregate")
      return
    }
    #expect(spec.window == .none)
    #expect(spec.everyMilliseconds == 5000)
  }

  @Test(arguments: [
    ("{hop: 1h, every: 5m}", WindowSpec.hop(size: 3_600_000, every: 300_000, offset: 0)),
    ("{cumulate: 1d, every: 1h, offset: 25h}", .cumulate(size: 86_400_000, every: 3_600_000, offset: 3_600_000)),
    ("{session: 30m}", .session(gap: 1_800_000)),
    ("{tumble: week}", .calendar(.week, timezone: .constant("UTC"), cycleDay: .constant(1))),
    (
      "{tumble: month, timezone: Africa/Casablanca, cycle_day: 31}",
      .calendar(.month, timezone: .constant("Africa/Casablanca"), cycleDay: .constant(31))
    ),
    (
      "{tumble: month, timezone: service, cycle_day: day}",
      .calendar(.month, timezone: .column(2), cycleDay: .column(5))
    ),
  ])
  func windowsAreRead(text: String, expected: WindowSpec) throws {
    let step = try step("a: {from: usage, aggregate: {window: \(text), values: {n: count(*)}}}")
    guard case .aggregate(let spec) = step.operation else {
      Issue.record("not an aggregate")
      return
    }
    #expect(spec.window == expected)
  }

  @Test func join_givesTheLeftThenTheRightWithoutSharedKeys() throws {
    let steps = """
      l: {from: usage, select: {account_id: account_id, x: day}}
      r: {from: usage, select: {account_id: account_id, k: day, y: record_id}}
      a: {from: l, join: {with: r, on: {account_id: account_id, x: k}, between: [-5m, 10m], type: left}}
      """
    let step = try step(steps)
    #expect(step.outputSchema.description == "account_id string not null, x int64, k int64, y string")
    guard case .join(let spec) = step.operation else {
      Issue.record("not a join")
      return
    }
    #expect(spec.kind == .left)
    #expect(spec.leftKey == [0, 1] && spec.rightKey == [0, 1] && spec.rightColumns == [1, 2])
    #expect(spec.lowerMilliseconds == -300_000 && spec.upperMilliseconds == 600_000)
    #expect(step.rightInputs.map(\.description) == ["r"])
    #expect(step.ports.isEmpty)
  }

  @Test func innerJoin_keepsWhatIsNeverNull() throws {
    let steps = """
      r: {from: usage, select: {account_id: account_id, y: record_id}}
      a: {from: usage, join: {with: r, on: [account_id], between: [0s, 0s]}}
      """
    #expect(try step(steps).outputSchema.description == usage + ", y string not null")
  }

  @Test func stepsComeBehindWhatTheyRead_otherwiseAsInTheFile() throws {
    let steps = """
      z: {from: [m, usage], filter: day > 0}
      m: {from: b.rejected, filter: day > 1}
      a: {from: usage, filter: day > 2}
      b: {from: a, filter: day > 3}
      """
    #expect(try load(topology(steps: steps, sinks: ["z"])).steps.map(\.name) == ["a", "b", "m", "z"])
  }

  @Test func aLongChainOfStepsIsNoTrouble() throws {
    let steps = (0..<2000).map { "s\($0): {from: \($0 == 1999 ? "usage" : "s\($0 + 1)"), filter: day > 0}" }
    let plan = try load(topology(steps: steps.joined(separator: "\n"), sinks: ["s0"]))
    #expect(plan.steps.count == 2000)
    #expect(plan.steps.first?.name == "s1999")
  }
}

/// What sources come to.
@Suite struct SourcePlanTests {
  private func source(_ text: String) throws -> SourcePlan { try load(topology(source: text)).sources[0] }

  @Test func generator_readsTheUsageRecordByItsStart() throws {
    let source = try source(
      "connector: generator\nrows: 9\nseed: 3\naccounts: 7\nstart: 2026-02-01T00:00:00+01:00\nanomalies: {late: 0.25}")
    #expect(
      source.outputSchema.description
        == "record_id string not null, account_id string not null, msisdn string, service string, started_at timestamp not null, quantity decimal(18,3), destination string, country string, roaming boolean, international boolean, cell_id string"
    )
    #expect(source.eventTime == 4)
    guard case .generator(let spec) = source.connector else {
      Issue.record("not a generator")
      return
    }
    #expect(spec.rows == 9 && spec.seed == 3 && spec.accounts == 7 && spec.late == 0.25)
    #expect(spec.start == CivilTime.parseTimestamp("2026-01-31T23:00:00Z"))
  }

  @Test func typesAreRead() throws {
    let source = try source(
      "connector: file\npath: x\norder: name\nschema: {a: decimal(38, 10) not null, b: timestamp(epoch_s), c: bytes, d: date, e: double not null, f: boolean, g: timestamp}"
    )
    #expect(
      source.decodedSchema.description
        == "a decimal(38,10) not null, b timestamp, c bytes, d date, e double not null, f boolean, g timestamp")
    #expect(source.epochSecondColumns == [1])
    guard case .file(let spec) = source.connector else {
      Issue.record("not a file")
      return
    }
    #expect(spec.isOnePartition)
    #expect(source.eventTime == nil)
  }

  @Test func csvOptionsAreRead() throws {
    let source = try source(
      "connector: file\npath: x\nformat: csv\nheader: false\ndelimiter: \"\\t\"\nquote: \"'\"\nschema: {a: string}")
    guard case .csv(let options) = source.format else {
      Issue.record("not csv")
      return
    }
    #expect(!options.header && options.delimiter == 9 && options.quote == UInt8(ascii: "'"))
  }

  @Test func computedColumnsComeBehindTheDecodedOnes_andCanBeTheEventTime() throws {
    let source = try source(
      "connector: file\npath: x\nschema: {a: timestamp}\ncomputed: {b: a}\nevent_time: b\nwatermark: {delay: 10s, idle_after: 1m}\non_error: skip\nrate: 50000"
    )
    #expect(source.decodedSchema.count == 1)
    #expect(source.outputSchema.fields.map(\.name) == ["a", "b"])
    #expect(source.computed.count == 1)
    #expect(source.eventTime == 1)
    #expect(source.watermarkDelayMilliseconds == 10_000 && source.idleAfterMilliseconds == 60_000)
    #expect(source.onError == .skip && source.rate == 50_000)
  }

  @Test func raw_isOneColumnOfBytes() throws {
    #expect(try source("connector: file\npath: x\nformat: raw").outputSchema.description == "value bytes not null")
    #expect(
      try source("connector: file\npath: x\nformat: raw\nschema: {value: string}").outputSchema.description
        == "value string")
  }
}
