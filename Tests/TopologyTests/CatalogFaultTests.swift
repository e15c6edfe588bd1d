import Operators
import StreamModel
import Testing

@testable import Topology

@Suite struct CatalogFaultTests {
  /// The faults of a catalogue as `line:column: path: message — mend`.
  private static func faults(_ text: String) -> [String] {
    let faults = FaultCollector(file: "c", source: SourceText(text))
    let catalog = CatalogReader.check(faults)
    #expect((catalog == nil) == !faults.isEmpty)
    return faults.faults.map { String($0.description.dropFirst(2)) }
  }

  private static func catalog(_ text: String) throws -> TariffCatalog {
    let faults = FaultCollector(file: "c", source: SourceText(text))
    let catalog = CatalogReader.check(faults)
    #expect(faults.isEmpty, "\(faults.faults)")
    return try #require(catalog)
  }

  /// A catalogue with these tariffs, the first on line 7, and what follows them.
  private static func text(_ tariffs: [String], rest: String = "") -> String {
    """
    catalog: 1
    name: test
    currency: EUR
    services: {voice: second, data: megabyte}
    plans: {standard: {international: false}, premium: {international: true}}
    tariffs:
    \(tariffs.map { "  - {plan: standard, service: \($0)}" }.joined(separator: "\n"))
    \(rest)
    """
  }

  @Test func theCatalogueThatComesAlongIsRight() throws {
    let path = repositoryPath("topologies/catalog/consumer.yaml")
    guard case .text(let text) = TopologyFile.read(path) else { throw Unreadable() }
    let catalog = try Self.catalog(text)
    #expect(catalog.tariffs.count == 7 && catalog.modifiers.map(\.label).last == "roaming +50%")
    let data = try #require(catalog.tariffs.first { $0.service == "data" })
    #expect(data.phrase == "increment 0.1, free 10, 0.05 to 1000, 0.1")
  }

  private struct Unreadable: Error {}

  @Test func whatIsMissingIsToldAtOnce() {
    #expect(
      Self.faults("name: A\nservces: {}\nplans: {}") == [
        "1:1: catalog: is missing — write the version of its language: catalog: 1",
        "1:1: currency: is missing — write the currency of its prices: currency: EUR",
        "1:1: services: is missing — write services and their units: {voice: second, sms: message}",
        "1:1: tariffs: is missing — write what usage costs: tariffs: [{plan, service, valid_from, price}]",
        "1:7: name: `A` is no name — use at most 63 of a-z, 0-9 and -",
        "2:1: servces: is not known — did you mean `services`?",
        "3:1: plans: names no plan — write plans: {standard: {international: false}}",
      ])
    #expect(Self.faults("- a") == ["1:1: is no catalogue — begin with `catalog: 1` and `name: NAME`"])
    #expect(
      Self.faults(
        "catalog: 2\nname: a\ncurrency: euro\ntimezone: Europe/Dubln\nservices: [a]\nplans: {a/b: {x: 1}}\ntariffs: {}")
        == [
          "1:10: catalog: version `2` is not known — write catalog: 1",
          "3:11: currency: `euro` is no currency — write its three capital letters, such as EUR",
          "4:11: timezone: `Europe/Dubln` is no time zone — did you mean `Europe/Dublin`?",
          "5:11: services: is a list — write services and their units: {voice: second, sms: message}",
          "6:9: plans.a/b: `a/b` is no name — use at most 63 characters, none of them a blank, `/` or `,`",
          "6:15: plans.a/b.x: is not known — known here: international",
          "7:10: tariffs: is no list — write one tariff a line: - {plan: standard, service: voice, valid_from: 2026-01-01, price: 0.01}",
        ])
  }

  @Test func unknownNamesAndBadNumbersOfTariffs() {
    #expect(
      Self.faults(
        Self.text([
          "voise, valid_from: 2026-01-01, price: 0.01", "voice, valid_from: 2026-13-01, price: 0.01",
          "voice, valid_from: 2026-01-01, valid_to: 2026-01-01, price: 0.0000001", "voice",
          "data, valid_from: 2026-01-01, increment: 0, free: -1, rollover: x, price: 1, tiers: [{price: 1}]",
        ])) == [
          "7:31: tariffs[0].service: there is no service `voise` — did you mean `voice`?",
          "8:50: tariffs[1].valid_from: `2026-13-01` is neither a day nor a time — write 2026-01-01, or a time such as 2026-01-01T00:00:00Z",
          "9:72: tariffs[2].valid_to: is not after valid_from — write the first day on which it holds no more",
          "9:91: tariffs[2].price: 0.0000001 has too many digits after the point — write at most 6 of them",
          "10:5: tariffs[3]: has no price — add price: 0.01, or tiers: [{up_to: 1000, price: 0.05}, {price: 0.1}]",
          "10:5: tariffs[3].valid_from: is missing — write the day from which it holds: valid_from: 2026-01-01",
          "11:72: tariffs[4].increment: 0 is out of range — write at least 0.000001",
          "11:81: tariffs[4].free: -1 is out of range — write at least 0",
          "11:95: tariffs[4].rollover: `x` is no number — write units such as 60",
          "11:108: tariffs[4].tiers: stands beside `price` — write one of them",
        ])
  }

  @Test func versionsNeitherOverlapNorLeaveGaps_inWhateverOrderTheyStand() {
    #expect(
      Self.faults(
        Self.text([
          "voice, valid_from: 2026-03-01, price: 1", "voice, valid_from: 2026-01-01, valid_to: 2026-02-01, price: 1",
          "data, valid_from: 2026-02-01, price: 1", "data, valid_from: 2026-01-01, price: 1",
          "data, valid_from: 2026-02-01, price: 2",
        ])) == [
          "7:50: tariffs[0].valid_from: leaves a gap behind standard/voice valid from 2026-01-01 (line 8) — let that one end when this one begins: valid_to: 2026-03-01",
          "9:49: tariffs[2].valid_from: overlaps standard/data valid from 2026-01-01 (line 10) — end that one: valid_to: 2026-02-01",
          "11:49: tariffs[4].valid_from: begins with standard/data valid from 2026-02-01 (line 9) — keep one of them, or let one begin later",
        ])
    #expect(
      Self.faults(
        Self.text([
          "voice, valid_from: 2026-02-01, price: 1", "voice, valid_from: 2026-01-01, valid_to: 2026-02-01, price: 1",
          "data, valid_from: 2026-02-01, valid_to: 2026-03-01, price: 1",
        ])
      ).isEmpty)
  }

  @Test func tiersRiseAndTheLastIsOpen() {
    #expect(
      Self.faults(
        Self.text([
          "voice, valid_from: 2026-01-01, tiers: [{up_to: 10, price: 1}, {up_to: 10, price: 2}, {price: 3}]",
          "data, valid_from: 2026-01-01, tiers: [{price: 1}, {up_to: 10, prise: 2}]",
        ])) == [
          "7:101: tariffs[0].tiers[1].up_to: is not above the tier before — let up_to rise from tier to tier, from above 0",
          "8:69: tariffs[1].tiers[0]: has no bound, and more tiers follow — add up_to, or move it to the end",
          "8:81: tariffs[1].tiers[1].price: is missing — write its price a unit",
          "8:82: tariffs[1].tiers[1].up_to: bounds the last tier: what is beyond has no price — remove it, or add a tier without up_to",
          "8:93: tariffs[1].tiers[1].prise: is not known — did you mean `price`?",
        ])
  }

  @Test func modifiersHaveNamesPercentagesAndConditions() {
    let modifiers = """
      modifiers:
        - {name: a, percent: -2, services: [voise], plans: gold, hours: "8-12", weekdays: [fri, friday]}
        - {name: a, percent: -100.5, hours: "24:00-08:00", roaming: maybe}
        - {percent: 1.00001, hours: "08:00-08:00", valid_from: 2026-02-01, valid_to: 2026-01-01}
        - {name: b, percent: 50%, weekdays: []}
      """
    #expect(
      Self.faults(Self.text(["voice, valid_from: 2026-01-01, price: 1"], rest: modifiers)) == [
        "9:39: modifiers[0].services[0]: there is no service `voise` — did you mean `voice`?",
        "9:54: modifiers[0].plans: there is no plan `gold` — known here: standard, premium",
        "9:67: modifiers[0].hours: `8-12` is no span of hours — write two times of day such as \"18:00-23:00\"",
        "9:86: modifiers[0].weekdays[0]: `fri` is not known here — write monday, tuesday, wednesday, thursday, friday, saturday or sunday",
        "10:12: modifiers[1].name: `a` is the name of the modifier on line 9 already — choose another name",
        "10:24: modifiers[1].percent: -100.5 % is out of range — write -100 to 1000",
        "11:5: modifiers[2].name: is missing — write a name, which stands in records: name: evening",
        "11:15: modifiers[2].percent: 1.00001 has too many digits after the point — write at most 4 of them",
        "12:24: modifiers[3].percent: `50%` is no percentage — write a number such as 2.5, without the sign %",
      ])
  }

  @Test func moreModifiersThanCanBeMultipliedExactlyAreRefused() {
    let many = (0..<12).map { "  - {name: m\($0), percent: 1.2345}" }.joined(separator: "\n")
    #expect(
      Self.faults(Self.text(["voice, valid_from: 2026-01-01, price: 1"], rest: "modifiers:\n" + many)) == [
        "8:1: modifiers: too many modifiers concern standard/voice for an exact product — use fewer, or percentages with fewer digits"
      ])
  }

  @Test func daysBeginInTheCataloguesZone_timesAreTakenAsTheyAre() throws {
    let rest = "timezone: Asia/Kolkata"
    let catalog = try Self.catalog(
      Self.text(
        ["voice, valid_from: 2026-01-01, valid_to: 2026-02-01T00:00:00Z, price: 1"], rest: rest))
    #expect(CivilTime.formatTimestamp(catalog.tariffs[0].validFrom) == "2025-12-31T18:30:00.000Z")
    #expect(CivilTime.formatTimestamp(catalog.tariffs[0].validTo) == "2026-02-01T00:00:00.000Z")
    #expect(catalog.tariffs[0].version == "2026-01-01")
  }
}
