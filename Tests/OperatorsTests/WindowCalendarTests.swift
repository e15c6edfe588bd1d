import Foundation
import StreamModel
import TestSupport
import Testing

@testable import Operators

@Suite struct WindowCalendarTests {
  static let hour: Int64 = 3_600_000

  /// The date that a wall clock in `zone` shows, by Foundation's rules.
  static func day(_ zone: TimeZone, _ time: EventTime) -> Int64 {
    let local = time + Int64(zone.secondsFromGMT(for: Date(timeIntervalSince1970: Double(time) / 1000))) * 1000
    return CivilTime.split(local).day
  }

  /// The instants between `from` and `to`, a quarter of an hour apart, at which a local day is seen for the first time.
  static func dayStarts(_ zone: TimeZone, _ from: EventTime, _ to: EventTime) -> [(start: EventTime, day: Int64)] {
    var latest = day(zone, from)
    var starts: [(EventTime, Int64)] = []
    for time in stride(from: from, to: to, by: 900_000) {
      let today = day(zone, time)
      if today > latest {
        starts.append((time, today))
        latest = today
      }
    }
    return starts
  }

  static func begins(_ unit: WindowSpec.CalendarUnit, _ cycleDay: Int, _ day: Int64) -> Bool {
    switch unit {
    case .day: return true
    case .week: return (day + 3) % 7 == 0
    case .month:
      let date = CivilTime.date(ofDay: day)
      return date.day == min(cycleDay, CivilTime.daysInMonth(year: date.year, month: date.month))
    }
  }

  static func check(
    _ name: String, _ unit: WindowSpec.CalendarUnit, _ cycleDay: Int, year: Int, random: inout SeededRandom
  ) throws {
    let zone = try #require(TimeZone(identifier: name))
    let rules = try #require(ZoneRules.named(name))
    let from = CivilTime.days(year: year - 1, month: 10, day: 20) * CivilTime.millisecondsPerDay
    let starts = dayStarts(zone, from, from + 560 * CivilTime.millisecondsPerDay)
      .filter { begins(unit, cycleDay, $0.day) }.map(\.start)
    let calendar = WindowCalendar(unit: unit, zone: rules, cycleDay: cycleDay)
    for (start, end) in zip(starts, starts.dropFirst()) {
      let times = [
        start, end - 1, start + random.int(0...(end - start - 1)), start + random.int(0...(end - start - 1)),
      ]
      for time in times {
        let window = calendar.window(at: time)
        #expect(
          window.start == start && window.end == end,
          "\(name) \(unit) \(cycleDay): \(time) lies in \(start)..<\(end), not \(window)")
      }
    }
  }

  @Test(arguments: [
    ("Africa/Casablanca", 2026), ("Europe/Dublin", 2026), ("America/New_York", 2026), ("America/Sao_Paulo", 2017),
    ("Africa/Cairo", 2026), ("America/Havana", 2026), ("Asia/Kolkata", 2026), ("Pacific/Chatham", 2026),
    ("Atlantic/Azores", 2026),
  ])
  func windowsAreThoseThatTheWallClockShows(_ zone: (name: String, year: Int)) throws {
    try TestSeeds.each(1) { random in
      for (unit, cycleDay) in [(.day, 1), (.week, 1), (.month, 1), (.month, 5), (.month, 29), (.month, 31)]
        as [(WindowSpec.CalendarUnit, Int)]
      {
        try Self.check(zone.name, unit, cycleDay, year: zone.year, random: &random)
      }
    }
  }

  @Test func aDayWhoseMidnightIsSkipped_beginsWhenTheClockHasJumped() throws {
    let calendar = WindowCalendar(unit: .day, zone: try #require(ZoneRules.named("America/Sao_Paulo")), cycleDay: 1)
    let noon = try #require(CivilTime.parseTimestamp("2017-10-15T12:00:00-02:00"))
    let window = calendar.window(at: noon)
    #expect(CivilTime.formatTimestamp(window.start) == "2017-10-15T03:00:00.000Z")
    #expect(window.end - window.start == 23 * Self.hour)
  }

  @Test func aDayWhoseMidnightComesTwice_beginsWithTheFirst() throws {
    let calendar = WindowCalendar(unit: .day, zone: try #require(ZoneRules.named("America/Havana")), cycleDay: 1)
    let noon = try #require(CivilTime.parseTimestamp("2026-11-01T12:00:00-05:00"))
    let window = calendar.window(at: noon)
    #expect(CivilTime.formatTimestamp(window.start) == "2026-11-01T04:00:00.000Z")
    #expect(window.end - window.start == 25 * Self.hour)
  }

  @Test func aDayThatWasLeftOut_isNoWindow() throws {
    let calendar = WindowCalendar(unit: .day, zone: try #require(ZoneRules.named("Pacific/Apia")), cycleDay: 1)
    let before = calendar.window(at: try #require(CivilTime.parseTimestamp("2011-12-29T12:00:00-10:00")))
    let after = calendar.window(at: try #require(CivilTime.parseTimestamp("2011-12-31T12:00:00+14:00")))
    #expect(before.end == after.start)
    #expect(before.end - before.start == 24 * Self.hour && after.end - after.start == 24 * Self.hour)
  }

  static func spec(_ unit: WindowSpec.CalendarUnit) -> AggregateTestSpec {
    var test = AggregateTestSpec(.calendar(unit, timezone: .column(8), cycleDay: .column(9)))
    test.values = [("n", "count(*)"), ("total", "sum(amount)")]
    return test
  }

  @Test func eachRowsOwnCalendar_decidesItsWindow() throws {
    try TestSeeds.each(6) { random in
      var test = Self.spec([.day, .month][Int(random.int(0...1))])
      test.lateness = random.chance(0.5) ? 30 * Self.hour : 0
      guard case .calendar(let unit, _, _) = test.window else { return }
      let script = AggregateTestRows.script(
        &random, partitions: 2, behind: true, step: 4 * Self.hour, start: 1_772_000_000_000)
      let output = try test.harness().check(script, seed: random.next())
      let expected = AggregateModel(spec: test).rows(script) { row in
        guard case .string(let zone) = row.values[8], case .int64(let day) = row.values[9],
          let rules = ZoneRules.named(zone)
        else { return [] }
        let window = WindowCalendar(unit: unit, zone: rules, cycleDay: Int(day)).window(at: row.eventTime)
        return [AggregateModel.Window(start: window.start, end: window.end)]
      }
      try WindowAggregateTests.compare(test, expected: expected, actual: output.rows)
    }
  }

  @Test func aRowWithoutACalendar_isADeadLetter() throws {
    var script = OperatorScript(AggregateTestSpec.schema)
    let calendars: [(Value, Value)] = [
      ("UTC", 1), (nil, 1), ("Mars/Olympus", 1), ("UTC", nil), ("UTC", 0), ("UTC", 32), ("UTC", 31),
    ]
    for (index, (zone, day)) in calendars.enumerated() {
      script.row(at: Int64(index), AggregateTestSpec.row(["id": "a", "zone": zone, "day": day]))
    }
    let output = try Self.spec(.month).harness().check(script)
    #expect(output.failed.map(\.eventTime) == [1, 2, 3, 4, 5])
    #expect(output.failed.compactMap(\.failure).contains { $0.contains("Mars/Olympus") })
    #expect(output.main.count == 2)
  }

  @Test func aColumnFullOfNonsense_doesNotGrowTheStateForEver() throws {
    var test = Self.spec(.day)
    test.key = ["id"]
    let target = AggregateOperator.make(try test.spec())
    let output = CapturedOutput()
    for round in 0..<3 {
      let rows = (0..<40_000).map { index in
        let zone: Value = index % 2 == 0 ? .string("Nowhere/\(round)-\(index)") : "UTC"
        return TestRow(at: Int64(index), AggregateTestSpec.row(["id": "a", "zone": zone, "day": 1]))
      }
      for start in stride(from: 0, to: rows.count, by: 8000) {
        let batch = TestRows(AggregateTestSpec.schema, Array(rows[start..<start + 8000])).batch()
        try target.process(batch, input: 0, to: output)
      }
    }
    for (zone, count) in [("UTC", 5), ("Europe/Dublin", 1)] {
      let row = AggregateTestSpec.row(["id": "a", "zone": .string(zone), "day": 1])
      let rows = (0..<count).map { TestRow(at: 1_784_000_000_000 + Int64($0), row) }
      try target.process(TestRows(AggregateTestSpec.schema, rows).batch(), input: 0, to: output)
    }
    try target.advance(to: .maximum, output: output)
    #expect(output.failed.count == 60_000)
    #expect(output.main.map { $0.values[3] } == [60_000, 1, 5])
  }
}
