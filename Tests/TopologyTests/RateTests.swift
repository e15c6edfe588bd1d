import Glibc
import Operators
import StreamModel
import Testing

@testable import Topology

@Suite struct RateTests {
  private static let catalog = repositoryPath("topologies/catalog/consumer.yaml")

  /// A topology with a source of what rating needs, and these steps, the first on line 9.
  private static func topology(_ steps: String, sinks: [String] = ["usage"]) -> String {
    """
    weir: 1
    topology: t
    sources:
      usage: {connector: file, path: /in, event_time: started_at, schema: {account_id: string, plan: string, service: string, quantity: decimal(18,3), started_at: timestamp not null, international: boolean, roaming: boolean, zone: string, cycle_day: int64, joined: date}}
      other: {connector: file, path: /in, event_time: at, schema: {account: int64, tariff: string, at: timestamp, charge: double, units: decimal(20,3), reason: string}}
    sinks:
      all: {from: [\(sinks.joined(separator: ", "))], connector: blackhole}
    steps:
    \(steps)
    """
  }

  @Test func rateGivesTheInputsColumnsAndItsOwn() throws {
    let plan = try load(
      Self.topology(
        """
          r: {from: usage, rate: {catalog: \(Self.catalog), cycle: {timezone: zone, cycle_day: cycle_day}, close_after: 2d}}
          x: {from: r.rejected, filter: reason = 'no_tariff'}
        """, sinks: ["r"]))
    let step = try #require(plan.steps.first { $0.name == "r" })
    #expect(
      step.outputSchema.description.hasSuffix(
        "cycle_start timestamp not null, cycle_end timestamp not null, tariff_version string not null, rated_quantity decimal(18,3) not null, free_quantity decimal(18,3) not null, rollover_quantity decimal(18,3) not null, billable_quantity decimal(18,3) not null, billable_before decimal(18,3) not null, prices string, base_charge decimal(38,9) not null, modifiers string, charge decimal(18,4) not null, charge_currency string not null"
      ))
    #expect(step.ports[.late] == step.inputSchema)
    #expect(step.ports[.rejected]?.fields.last == Field("reason", .string, nullable: false))
    guard case .rate(let spec) = step.operation else { throw NoRate() }
    #expect(spec.closeAfterMilliseconds == 2 * 86_400_000 && spec.joined == 9 && spec.key == [0, 2])
  }

  private struct NoRate: Error {}

  @Test func rateIsExplained() throws {
    let plan = try load(
      Self.topology(
        "  r: {from: usage, rate: {catalog: \(Self.catalog), roaming: false, cycle: {timezone: zone, cycle_day: 5}, close_after: 2d}}",
        sinks: ["r"]))
    let text = PlanExplainer.text(plan)
    for line in [
      "  from        usage, exchanged by key (account_id, service)",
      "  rate        by (account_id, service), tariffs in EUR",
      "  catalog     consumer, \(Self.catalog)", "  cycle       month, timezone of column zone, cycle_day 5",
      "  closes      2d after its end", "  takes       international = international", "  takes       roaming = false",
      "  tariff      standard/data from 2020-01-01: increment 0.1, free 10, 0.05 to 1000, 0.1",
      "  modifier    morning -2%", "  port rejected → dead_letters", "  port late   → dead_letters",
    ] {
      #expect(text.contains(line + "\n"), "\(line)\n\(text)")
    }
    let chart = PlanExplainer.mermaid(plan)
    #expect(chart.contains("step0[\"r<br/>rate by consumer<br/>cycle: month, timezone of column zone, cycle_day 5\"]"))
    #expect(chart.contains("step0 -. \"rejected\" .-> dead_letters"))
    let json = PlanExplainer.json(plan)
    for part in ["\"catalog_name\": \"consumer\"", "\"close_after_ms\": 172800000", "\"roaming\": \"false\""] {
      #expect(json.contains(part), "\(part)")
    }
    #expect(PlanExplainer.flinkSQL(plan).contains("step r: not translated: rating counts free units"))
  }

  @Test func everyFaultOfAStepIsToldAtOnce() {
    expect(
      text: Self.topology(
        """
          a: {from: usage, rate: {catalogue: x, cycle: {period: week, cycle_day: 3, timezone: zne}, close_after: 2}}
          b: {from: other, rate: {catalog: \(Self.catalog), account: account, plan: tarif, quantity: units}}
          c: {from: usage, rate: {catalog: /nowhere/consumer.yaml, joined: zone}}
          d: {from: usage, rate: /x}
        """),
      [
        "9:20: steps.a.rate.catalog: is missing — write the file of its tariffs: catalog: catalog/consumer.yaml",
        "9:27: steps.a.rate.catalogue: is not known — did you mean `catalog`?",
        "9:63: steps.a.rate.cycle.cycle_day: does not go with a cycle of a week — remove it, or use period: month",
        "9:87: steps.a.rate.cycle.timezone: `zne` is neither a time zone nor a column — did you mean `zone`?",
        "9:106: steps.a.rate.close_after: `2` has no unit — write 2s, or another of ms, s, m, h, d",
        "10:20: steps.b.rate: it adds a column that the input has already: charge — rename with a `select` before",
        "10:20: steps.b.rate: the catalogue asks whether usage is international, and there is no column `international` — name the column, or say so for all: international: false",
        "10:20: steps.b.rate: the catalogue asks whether usage is roaming, and there is no column `roaming` — name the column, or say so for all: roaming: false",
        "10:20: steps.b.rate: the port `rejected` adds a column that the input has already: reason — rename it with a `select` before",
        "10:20: steps.b.rate: there is no column `service`, which `service` is by default — name the column: service: COLUMN",
        "10:\(47 + Self.catalog.utf8.count - 9): steps.b.rate.account: the column `account` is int64 — `account` takes string: cast it with an `extend` before",
        "10:\(71 + Self.catalog.utf8.count - 9): steps.b.rate.plan: there is no column `tarif` — did you mean `tariff`?",
        "10:\(78 + Self.catalog.utf8.count - 9): steps.b.rate.quantity: the column `units` is decimal(20,3) — `quantity` takes int64, or a decimal of at most 18 digits and 6 after the point: cast it with an `extend` before",
        "11:36: steps.c.rate.catalog: `/nowhere/consumer.yaml` cannot be opened: No such file or directory — check the path and its permissions",
        "11:60: steps.c.rate.joined: the column `zone` is string — `joined` takes date: cast it with an `extend` before",
        "12:26: steps.d.rate: is a single value — write {catalog: catalog/consumer.yaml}",
      ])
  }

  @Test func faultsOfTheCatalogueAreToldWithTheTopologys_byTheirOwnPlaces() throws {
    var template = Array("/tmp/weir-catalog-XXXXXX".utf8CString)
    _ = try #require(mkdtemp(&template))
    let folder = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let path = folder + "/c.yaml"
    defer {
      unlink(path)
      rmdir(folder)
    }
    let catalog =
      "catalog: 1\nname: c\ncurrency: EUR\nservices: {voice: second}\nplans: {p: {}}\ntariffs:\n  - {plan: q, service: voice, valid_from: 2026-01-01, price: 1}\n"
    let file = try #require(fopen(path, "w"))
    fputs(catalog, file)
    fclose(file)
    let text = Self.topology("  a: {from: nothing, filter: true}\n  r: {from: usage, rate: {catalog: c.yaml}}")
    do throws(TopologyError) {
      _ = try TopologyLoader.load(text: text, file: folder + "/t.yaml")
      Issue.record("there are faults")
    } catch {
      #expect(
        error.faults.map(\.description) == [
          "\(path):7:12: tariffs[0].plan: there is no plan `q` — known here: p",
          "\(folder)/t.yaml:9:13: steps.a.from: there is no source or step `nothing` — known here: usage, other, a, r",
        ])
    }
  }

  @Test func catalogueQuantitiesFinerThanTheColumnAreRefused() {
    expect(
      text: Self.topology(
        "  r: {from: x, rate: {catalog: \(Self.catalog)}}\n  x: {from: usage, extend: {quantity: cast(quantity as int64)}}"
      ),
      [
        "9:32: steps.r.rate.catalog: the tariff standard/data from 2020-01-01 has quantities with more than 0 digits after the point, which the quantity column does not have — make the column a decimal(18,6), or round the catalogue's quantities"
      ])
  }
}
