import Connectors
import Testing

@testable import Topology

@Suite struct OverrideTests {
  private let text = """
    weir: 1
    topology: t
    sources:
      s: {connector: generator, rows: 5, seed: 9, schema: {account_id: string not null, started_at: timestamp}, event_time: started_at}
      r: {connector: generator}
    sinks: {o: {from: [s, s], connector: file, path: out}}

    """

  @Test func aValueIsReplacedOrAdded() throws {
    let plan = try load(
      text,
      set: [
        "sources.s.rows=7", "sources.s.rate=2.5", "sources.s.watermark.delay=5s", "sinks.o.from[1]=s", "topology=x",
        "sinks.o.from.0=r", "sinks.o.from.1=s", "sources.r.schema.account_id=string not null",
        "sources.r.schema.started_at=timestamp", "checkpoint.directory=/c",
      ])
    guard case .generator(let spec) = plan.sources[0].connector else {
      Issue.record("not a generator")
      return
    }
    #expect(spec.rows == 7)
    #expect(spec.seed == 9)
    #expect(plan.sources[0].rate == 2.5)
    #expect(plan.sources[0].watermarkDelayMilliseconds == 5000)
    #expect(plan.sinks[0].inputs.map(\.description) == ["r", "s"])
    #expect(plan.name == "x")
    #expect(plan.checkpoint.directory == "/c")
  }

  @Test func ofTwoValuesForOnePath_theLastCounts() throws {
    let plan = try load(valid, set: ["parallelism=3", "parallelism=4"])
    #expect(plan.parallelism == 4)
  }

  @Test func whenSetChoosesAnotherConnector_theOldOnesSettingsAreNotes() throws {
    let plan = try load(
      text,
      set: [
        "sources.s.connector=file", "sources.s.path=/in", "sinks.o.from.1=r", "sinks.o.from.0=r",
        "sinks.o.connector=console",
      ].filter { !$0.hasPrefix("sinks.o.from.0") } + [
        "sources.r.schema.account_id=string not null", "sources.r.schema.started_at=timestamp",
      ])
    guard case .file(let spec) = plan.sources[0].connector else {
      Issue.record("not a file")
      return
    }
    #expect(spec.path == "/in")
    #expect(
      plan.notes == [
        "sources.s.rows is left aside: it belongs to connector generator, and --set chose file",
        "sources.s.seed is left aside: it belongs to connector generator, and --set chose file",
        "sinks.o.path is left aside: it belongs to connector file, and --set chose console",
      ])
    #expect(PlanExplainer.text(plan).contains("sources.s.rows is left aside"))
  }

  @Test func aSlipIsAFaultWhoeverChoseTheConnector() {
    expect(
      text:
        "weir: 1\ntopology: t\nsources: {s: {connector: generator, rwos: 5}}\nsinks: {o: {from: s, connector: blackhole}}\n",
      set: ["sources.s.connector=file", "sources.s.path=/in", "sources.s.schema.a=string"],
      ["3:37: sources.s.rwos: is not known — did you mean `rows`?"])
  }

  @Test func pathsThatLeadNowhere_areFaultsOfTheCommandLine() {
    expect(
      text:
        "weir: 1\ntopology: t\nsources: {s: {connector: generator}}\nsinks: {o: {from: [s], connector: blackhole}}\n",
      set: [
        "sources.s.rate=abc", "sources.x.rows=5", "nope", "=x", "sources.s.connector.x=1", "sources.s=1",
        "paralelism=3",
        "sinks.o.from[1]=s", "a..b=1", "sources.s.anomalies.lat=0.5", "sources.s.watermark.delay=5", "stps.a.from=s",
        "steps.a.from=s",
      ],
      [
        "--set: `=x` is not path=value — write --set sources.usage.path=/data/in",
        "--set: `nope` is not path=value — write --set sources.usage.path=/data/in",
        "--set: a..b: is no path — write names with dots between: sources.usage.path",
        "--set: paralelism: is not known — did you mean `parallelism`?",
        "--set: sinks.o.from[1]: `sinks.o.from` is a list of 1 — name an item by its position, from 0 to 0",
        "--set: sources.s: is a section or a list, and --set replaces single values — name a value in it",
        "--set: sources.s.anomalies.lat: is not known — did you mean `late`?",
        "--set: sources.s.connector.x: `sources.s.connector` is a single value — leave out `.x`",
        "--set: sources.s.rate: `abc` is no number — write a number of rows a second, more than 0",
        "--set: sources.s.watermark.delay: `5` has no unit — write 5s, or another of ms, s, m, h, d",
        "--set: sources.x.rows: there is no source `x` — known here: s",
        "--set: steps.a.from: there is no step `a` — name one of the file's",
        "--set: stps: is not known — did you mean `steps`?",
      ])
  }
}
