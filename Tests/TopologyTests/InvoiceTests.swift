import Operators
import StreamModel
import Testing

@testable import Topology

@Suite struct InvoiceTests {
  private static let catalog = repositoryPath("topologies/catalog/consumer.yaml")

  /// A topology with a source of rated records, and these steps, the first on line 9.
  private static func topology(_ steps: String, sinks: [String] = ["rated"]) -> String {
    """
    weir: 1
    topology: t
    sources:
      rated: {connector: file, path: /in, event_time: at, schema: {account_id: string, currency: string, service: string, rated_quantity: decimal(18,3), amount: decimal(18,4), charge: decimal(18,4), cycle_start: timestamp, cycle_end: timestamp, plan: string, home_country: string, region: string, student: boolean, joined: date, zone: string, at: timestamp not null}}
      bare: {connector: file, path: /in, event_time: at, schema: {line: string, currency: string, service: string, quantity: double, amount: decimal(18,7), cycle_start: timestamp, cycle_end: timestamp, at: timestamp not null}}
    sinks:
      all: {from: [\(sinks.joined(separator: ", "))], connector: blackhole}
    steps:
    \(steps)
    """
  }

  @Test func invoiceGivesLines() throws {
    let plan = try load(
      Self.topology(
        """
          i: {from: rated, invoice: {catalog: \(Self.catalog), timezone: zone, close_after: 2d}}
          l: {from: i.late, filter: amount > 0}
        """, sinks: ["i"]))
    let step = try #require(plan.steps.first { $0.name == "i" })
    #expect(
      step.outputSchema.description
        == "account_id string not null, currency string not null, cycle_start timestamp not null, cycle_end timestamp not null, invoice string not null, line int64 not null, kind string not null, name string not null, records int64, quantity decimal(38,3), unit string, percent decimal(9,4), amount decimal(38,4) not null"
    )
    let text = PlanExplainer.text(plan)
    for line in [
      "  from        rated, exchanged by key (account_id, currency)",
      "  invoice     by (account_id, currency), when a cycle has closed", "  closes      2d after its end",
      "  takes       joined = joined", "  takes       timezone = zone", "  discounts   together at most 30%",
      "  discount    loyalty: 2% a year, at most 10%",
      "  discount    ramadan: 10%, from 2026-02-18, before 2026-03-20",
      "  discount    volume: 2% from 100, 4% from 500 of charges", "  vat         IE 23%", "  vat         others 0%",
      "  port late   → l",
    ] {
      #expect(text.contains(line + "\n"), "\(line)\n\(text)")
    }
    #expect(text.contains("  fee         standard line: 5.00 EUR, 4.50 GBP"))
    #expect(PlanExplainer.json(plan).contains("\"discounts_at_most\": \"30%\""))
    #expect(PlanExplainer.mermaid(plan).contains("invoice by consumer"))
    #expect(PlanExplainer.flinkSQL(plan).contains("step i: not translated: Flink's windows follow no account's"))
  }

  @Test func everyFaultOfAStepIsToldAtOnce() {
    let shift = Self.catalog.utf8.count
    expect(
      text: Self.topology(
        """
          a: {from: rated, invoice: {catalogue: x, amount: amout, close_after: -1d, timezone: zne}}
          b: {from: bare, invoice: {catalog: \(Self.catalog), account: line, quantity: quantity}}
        """),
      [
        "9:20: steps.a.invoice.catalog: is missing — write the file of its discounts and fees: catalog: catalog/consumer.yaml",
        "9:30: steps.a.invoice.catalogue: is not known — did you mean `catalog`?",
        "9:52: steps.a.invoice.amount: there is no column `amout` — did you mean `amount`?",
        "9:72: steps.a.invoice.close_after: -1d is negative — write a duration such as 250ms, 10s, 5m, 1h or 30d",
        "9:87: steps.a.invoice.timezone: `zne` is neither a time zone nor a column — did you mean `zone`?",
        "10:19: steps.b.invoice: the column `amount` is decimal(18,7) — `amount` takes int64, or a decimal with at most 6 digits after the point: cast it with an `extend` before",
        "10:19: steps.b.invoice: there is no column `charge`, which `charge` is by default — name the column: charge: COLUMN",
        "10:19: steps.b.invoice: there is no column `home_country`, which `country` is by default — name the column: country: COLUMN",
        "10:19: steps.b.invoice: there is no column `joined`, which `joined` is by default — name the column: joined: COLUMN",
        "10:19: steps.b.invoice: there is no column `plan`, which `plan` is by default — name the column: plan: COLUMN",
        "10:19: steps.b.invoice: there is no column `region`, which `region` is by default — name the column: region: COLUMN",
        "10:19: steps.b.invoice: there is no column `student`, which `student` is by default — name the column: student: COLUMN",
        "10:\(55 + shift): steps.b.invoice.quantity: the column `quantity` is double — `quantity` takes int64, or a decimal with at most 6 digits after the point: cast it with an `extend` before",
      ])
  }

  @Test func aColumnOfLinesMayNotBeTheAccountsOrTheCurrencys() {
    expect(
      text: Self.topology(
        "  b: {from: x, invoice: {catalog: \(Self.catalog), account: line}}\n  x: {from: rated, extend: {line: account_id}}"
      ),
      ["9:16: steps.b.invoice: `line` is the name of a column that every line has — rename it with a `select` before"])
  }

  // MARK: Catalogues

  private static func faults(_ rest: String) -> [String] {
    let text = """
      catalog: 1
      name: test
      currency: EUR
      services: {voice: second}
      plans: {standard: {}}
      tariffs: [{plan: standard, service: voice, valid_from: 2026-01-01, price: 1}]
      \(rest)
      """
    let faults = FaultCollector(file: "c", source: SourceText(text))
    _ = CatalogReader.check(faults)
    return faults.faults.map { String($0.description.dropFirst(2)) }
  }

  @Test func discountsHaveOneSizeEach() {
    #expect(
      Self.faults(
        """
        discounts:
          rules:
            - {name: a, percent: 101, student: perhaps}
            - {name: b, percent: 1, thresholds: [{from: 1, percent: 1}]}
            - {percent_per_year: 2, of: voice}
            - {name: d, thresholds: [{from: 2, percent: 1}, {from: 2, percent: 2}], of: sms, at_most: 3}
            - {name: e, plans: [gold], valid_from: 2026-02-01, valid_to: 2026-02-01}
        """) == [
          "7:1: discounts.cap: is missing — write the most that all of them take off together, in percent: cap: 30",
          "9:26: discounts.rules[0].percent: 101 % is out of range — write 0 to 100",
          "9:40: discounts.rules[0].student: `perhaps` is neither true nor false — write true or false",
          "10:7: discounts.rules[1]: has several sizes: percent, thresholds — write one of percent, percent_per_year and thresholds",
          "11:7: discounts.rules[2].at_most: is missing — write the most that all years take off: at_most: 10",
          "11:7: discounts.rules[2].name: is missing — write a name, which stands on invoices: name: student",
          "11:29: discounts.rules[2].of: goes only with thresholds — remove it",
          "12:60: discounts.rules[3].thresholds[1].from: is not above the threshold before — let `from` rise from threshold to threshold",
          "12:81: discounts.rules[3].of: there is no service `sms` — known here: voice",
          "12:86: discounts.rules[3].at_most: goes only with percent_per_year — remove it",
          "13:7: discounts.rules[4]: has no size — write one of percent, percent_per_year and thresholds",
          "13:25: discounts.rules[4].plans[0]: there is no plan `gold` — known here: standard",
          "13:66: discounts.rules[4].valid_to: is not after valid_from — write the first day on which it holds no more",
        ])
  }

  @Test func ratesOfVATNeitherOverlapNorLeaveGaps() {
    #expect(
      Self.faults(
        """
        vat:
          - {country: ie, percent: 23}
          - {country: FR, percent: 20, valid_to: 2026-02-01}
          - {country: FR, percent: 21, valid_from: 2026-03-01}
          - {percent: 1}
          - {percent: 2}
        """) == [
          "8:15: vat[0].country: `ie` is no country — write its two capital letters, such as IE",
          "10:5: vat[2]: leaves a gap behind the rate on line 9 — let that one end when this one begins",
          "12:5: vat[4]: overlaps the rate on line 11 — end that one, with valid_to, when this one begins, with valid_from",
        ])
  }

  @Test func feesHaveAmountsInCurrencies() {
    #expect(
      Self.faults(
        """
        fees:
          - {name: a, amounts: {EUR: 9.999, euro: 1}}
          - {name: b}
          - {name: c, amounts: {}}
        """) == [
          "8:30: fees[0].amounts.EUR: 9.999 has too many digits after the point — write at most 2 of them",
          "8:37: fees[0].amounts.euro: `euro` is no currency — write its three capital letters, such as EUR",
          "9:5: fees[1].amounts: is missing — write the amount in each currency: amounts: {EUR: 9.99}",
          "10:15: fees[2].amounts: names no currency — write {EUR: 9.99}",
        ])
  }
}
