import Glibc
import StreamModel
import Testing

@Suite struct CivilTimeTests {
  @Test func everyDay_hasTheDateOfTheSystemsCalendar() {
    for day in stride(from: Int64(-719_162), through: 2_932_896, by: 37) {
      var seconds = Int(day) * 86_400
      var broken = tm()
      gmtime_r(&seconds, &broken)
      let date = CivilTime.date(ofDay: day)
      #expect(date == (Int(broken.tm_year) + 1900, Int(broken.tm_mon) + 1, Int(broken.tm_mday)), "day \(day)")
      #expect(CivilTime.days(year: date.year, month: date.month, day: date.day) == day)
    }
  }

  @Test func aTime_isWrittenAndReadBack() {
    var random = SeededGenerator()
    for _ in 0..<5000 {
      let time = Int64.random(in: EventTimes.earliestRecord...EventTimes.latestRecord, using: &random)
      #expect(CivilTime.parseTimestamp(CivilTime.formatTimestamp(time)) == time, "\(time), seed \(random.seed)")
    }
    #expect(CivilTime.formatTimestamp(EventTimes.earliestRecord) == "0001-01-01T00:00:00.000Z")
    #expect(CivilTime.formatTimestamp(EventTimes.latestRecord) == "9999-12-31T23:59:59.999Z")
    #expect(CivilTime.formatDate(-1) == "1969-12-31")
  }

  @Test(
    arguments: [
      ("2026-01-31T13:45:00Z", 1_769_867_100_000), ("2026-01-31t13:45:00z", 1_769_867_100_000),
      ("2026-01-31T14:45:00.5+01:00", 1_769_867_100_500), ("2026-01-31T13:15:00.123000-00:30", 1_769_867_100_123),
      ("1969-12-31T23:59:59.999Z", -1), ("2024-02-29T00:00:00Z", 1_709_164_800_000),
    ] as [(String, Int64)]) func anRFC3339Time_isRead(text: String, time: Int64)
  { #expect(CivilTime.parseTimestamp(text) == time) }

  @Test(arguments: [
    "2026-01-31 13:45:00Z", "2026-01-31T13:45:00", "2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z",
    "2026-01-31T13:60:00Z", "2026-01-31T13:45:60Z", "2026-01-31T13:45:00.Z", "2026-01-31T13:45:00.1234Z",
    "2026-01-31T13:45:00+1:00", "2026-01-31T13:45:00+0100", "2026-01-31T13:45Z",
    "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00", "9999-12-31T23:59:59-00:01", "2026-01-31T13:45:00Zx",
    "2026-1-31T13:45:00Z", "", "2026-01-31T13:45:00+24:00",
  ]) func anythingElse_isNoTime(text: String) { #expect(CivilTime.parseTimestamp(text) == nil) }

  @Test func aBlankForTheT_isReadWhereItIsAllowed() {
    #expect(CivilTime.parseTimestamp("2026-01-31 13:45:00Z", allowingBlank: true) == 1_769_867_100_000)
    #expect(CivilTime.parseTimestamp("2026-01-31_13:45:00Z", allowingBlank: true) == nil)
  }

  @Test func aTimeBefore1970_isSplitDownward() {
    #expect(CivilTime.split(-1) == (-1, 86_399_999))
    #expect(CivilTime.split(-86_400_000) == (-1, 0))
    #expect(CivilTime.split(0) == (0, 0))
  }
}
