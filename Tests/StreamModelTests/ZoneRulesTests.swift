import Glibc
import Testing

@testable import StreamModel

/// The instant of an RFC 3339 text.
private func instant(_ text: String) throws -> EventTime { try #require(CivilTime.parseTimestamp(text)) }

@Suite(.serialized) struct ZoneRulesTests {
  private static let zones = [
    "Europe/Dublin", "Africa/Casablanca", "America/New_York", "Australia/Lord_Howe", "America/St_Johns", "Asia/Kolkata",
    "America/Sao_Paulo", "Pacific/Apia", "America/Havana", "Antarctica/Troll", "Asia/Gaza", "America/Nuuk",
    "Africa/Cairo",
  ]

  @Test(arguments: [
    ("Europe/Dublin", "2026-01-15T12:00:00Z", 0), ("Europe/Dublin", "2026-07-15T12:00:00Z", 60),
    ("Europe/Dublin", "2026-03-29T00:59:59.999Z", 0), ("Europe/Dublin", "2026-03-29T01:00:00Z", 60),
    ("Europe/Dublin", "2476-07-15T12:00:00Z", 60), ("Europe/Dublin", "9999-12-31T23:59:59Z", 0),
    ("Asia/Kolkata", "2026-01-15T12:00:00Z", 330), ("+05:30", "2026-01-15T12:00:00Z", 330),
    ("-0800", "2026-01-15T12:00:00Z", -480),
    ("Africa/Casablanca", "2026-01-15T12:00:00Z", 60), ("Africa/Casablanca", "2026-03-01T12:00:00Z", 0),
    ("Pacific/Apia", "2011-12-30T09:59:59Z", -600), ("Pacific/Apia", "2011-12-30T10:00:00Z", 840),
    ("UTC", "1970-01-01T00:00:00Z", 0),
  ]) func offsetOfKnownInstants_isThatOfTheZone(name: String, time: String, minutes: Int64) throws {
    let zone = try #require(ZoneRules.named(name))
    #expect(try zone.offsetMilliseconds(atUTC: instant(time)) == minutes * 60_000)
  }

  @Test(arguments: [
    ("Europe/Dublin", "2026-03-29T01:30:00Z", "2026-03-29T01:00:00Z"),  // a gap: the transition
    ("Europe/Dublin", "2026-10-25T01:30:00Z", "2026-10-25T00:30:00Z"),  // an overlap: the earlier
    ("Europe/Dublin", "2026-10-25T02:00:00Z", "2026-10-25T02:00:00Z"),
    ("America/Sao_Paulo", "2018-11-04T00:00:00Z", "2018-11-04T03:00:00Z"),  // no midnight: the day begins at 01:00
    ("America/Havana", "2026-11-01T00:00:00Z", "2026-11-01T04:00:00Z"),  // two midnights: the first
    ("Pacific/Apia", "2011-12-30T12:00:00Z", "2011-12-30T10:00:00Z"),  // a day that never was
    ("Europe/Dublin", "2826-03-29T01:30:00Z", "2826-03-29T01:00:00Z"),
    ("+02:00", "2026-03-29T01:30:00Z", "2026-03-28T23:30:00Z"),
  ]) func utcOfLocalTime_isTheFirstInstantThatShowsItOrLater(name: String, local: String, expected: String) throws {
    let zone = try #require(ZoneRules.named(name))
    #expect(
      try CivilTime.formatTimestamp(zone.utc(ofLocal: instant(local))) == CivilTime.formatTimestamp(instant(expected)))
  }

  @Test(arguments: zones) func everyOffset_isThatOfTheSystemsOwnReader(name: String) throws {
    var random = SeededGenerator()
    let zone = try #require(ZoneRules.named(name))
    setenv("TZ", name, 1)
    tzset()
    defer {
      unsetenv("TZ")
      tzset()
    }
    let earliest = try instant("1950-01-01T00:00:00Z")
    let latest = try instant("2800-01-01T00:00:00Z")
    for _ in 0..<5000 {
      var seconds = Int.random(in: Int(earliest / 1000)...Int(latest / 1000), using: &random)
      var broken = tm()
      localtime_r(&seconds, &broken)
      #expect(
        zone.offsetMilliseconds(atUTC: Int64(seconds) * 1000) == Int64(broken.tm_gmtoff) * 1000,
        "\(name) at \(seconds), seed \(random.seed)")
    }
  }

  @Test(arguments: zones) func utcOfLocal_agreesWithASearchMinuteByMinute(name: String) throws {
    var random = SeededGenerator()
    let zone = try #require(ZoneRules.named(name))
    for _ in 0..<200 {
      let local = Int64.random(in: -10_000_000...60_000_000, using: &random) * 60_000
      var minute = local - 27 * 3_600_000
      while minute + zone.offsetMilliseconds(atUTC: minute) < local { minute += 60_000 }
      let found = zone.utc(ofLocal: local)
      #expect(found > minute - 60_000 && found <= minute, "\(name) at \(local), seed \(random.seed)")
      #expect(found + zone.offsetMilliseconds(atUTC: found) >= local, "\(name) at \(local), seed \(random.seed)")
    }
  }

  @Test(arguments: [
    "", "Europe/Nowhere", "../etc/passwd", "/etc/passwd", "Europe/../UTC", "Europe", "zone.tab", "right/UTC", "+25:00",
    "+5", "a b",
  ])
  func aNameThatIsNoZone_isNil(name: String) { #expect(ZoneRules.named(name) == nil) }

  @Test func namesAreSharedAndUnknownOnesDoNotGrowWithoutBound() {
    for index in 0..<10_000 { #expect(ZoneRules.named("No/Such\(index)") == nil) }
    #expect(ZoneRules.named("Europe/Paris") === ZoneRules.named("Europe/Paris"))
    #expect(ZoneRules.named("UTC") === ZoneRules.utc)
  }

  @Test(arguments: [
    "", "IST", "ISTX-", "IST-1GMT0,M13.5.0,M3.5.0", "IST-1GMT0,M10.5.0", "IST-1GMT0,J0,J5", "<+01-1",
    "IST-1GMT0,M10.5.0,M3.5.0/1x",
  ])
  func aMalformedFooter_isRefused(text: String) { #expect(ZoneFooter(text.utf8) == nil) }

  @Test func daylightTimeAllYear_hasNoOtherOffset() throws {
    let footer = try #require(ZoneFooter("XXX3EDT4,0/0,J365/23".utf8))
    var timeline = ZoneTimeline(fixedOffsetSeconds: -4 * 3600)
    timeline.extend(by: footer)
    let last: [Int64] = Array(timeline.offsets.suffix(400).dropLast())
    #expect(last == [Int64](repeating: -14_400, count: 399))
  }

  @Test func aDamagedZoneFile_isNotAZone() throws {
    let whole = try #require(ZoneFile.read("Europe/Dublin"))
    #expect(ZoneFile.timeline(whole) != nil)
    for length in stride(from: 0, to: whole.count - 30, by: 7) {
      #expect(ZoneFile.timeline(Array(whole[0..<length])) == nil)
    }
    var random = SeededGenerator()
    for _ in 0..<500 {
      var damaged = whole
      for _ in 0..<8 {
        damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
      }
      if let timeline = ZoneFile.timeline(damaged) { #expect(timeline.offsets.count == timeline.transitions.count + 1) }
    }
  }
}
