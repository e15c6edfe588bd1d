import Testing

@Suite struct TimeTests {
  @Test(arguments: [
    ("timestamp '2026-01-31T13:45:00Z'", "timestamp not null 2026-01-31T13:45:00.000Z"),
    ("timestamp '2026-01-31 13:45:00.5+01:00'", "timestamp not null 2026-01-31T12:45:00.500Z"),
    ("date '2026-01-31'", "date not null 2026-01-31"), ("at", "timestamp 2026-01-31T13:34:56.789Z"),
    ("at + interval '5' minute", "timestamp 2026-01-31T13:39:56.789Z"),
    ("at - interval '1' month", "timestamp 2025-12-31T13:34:56.789Z"),
    ("interval '1' day + at", "timestamp 2026-02-01T13:34:56.789Z"),
    ("at + interval '1' month", "timestamp 2026-02-28T13:34:56.789Z"),
    ("at + interval '-1:30' hour to minute", "timestamp 2026-01-31T12:04:56.789Z"),
    ("at + interval '1 02:03:04.5' day to second", "timestamp 2026-02-01T15:38:01.289Z"),
    ("at + interval '1-1' year to month", "timestamp 2027-02-28T13:34:56.789Z"),
    ("at + (interval '1' hour - interval '30' minute)", "timestamp 2026-01-31T14:04:56.789Z"),
    ("at - -interval '1' second", "timestamp 2026-01-31T13:34:57.789Z"),
    ("at + interval 2 weeks", "timestamp 2026-02-14T13:34:56.789Z"),
    ("at + interval '0.001' second", "timestamp 2026-01-31T13:34:56.790Z"),
    ("day + interval '1' month", "date 2026-02-28"), ("day - interval '31' day", "date 2025-12-31"),
    (
      "timestamp '9999-12-31T23:59:59.999Z' + interval '1' second",
      "failed: 9999-12-31T23:59:59.999Z plus the interval is outside the years 1 to 9999"
    ),
    ("date_trunc('hour', at)", "timestamp 2026-01-31T13:00:00.000Z"),
    ("date_trunc(day, at)", "timestamp 2026-01-31T00:00:00.000Z"),
    ("date_trunc('week', at)", "timestamp 2026-01-26T00:00:00.000Z"),
    ("date_trunc('month', at)", "timestamp 2026-01-01T00:00:00.000Z"),
    ("date_trunc('quarter', timestamp '2026-12-31T00:00:00Z')", "timestamp not null 2026-10-01T00:00:00.000Z"),
    ("date_trunc('year', at)", "timestamp 2026-01-01T00:00:00.000Z"),
    ("date_trunc('second', at)", "timestamp 2026-01-31T13:34:56.000Z"),
    ("date_trunc('month', day)", "date 2026-01-01"),
    ("date_trunc('minute', timestamp '1969-12-31T23:59:59.999Z')", "timestamp not null 1969-12-31T23:59:00.000Z"),
    ("date_trunc('week', timestamp '1969-12-29T00:00:00Z')", "timestamp not null 1969-12-29T00:00:00.000Z"),
    ("extract(year from at)", "int64 2026"), ("extract(month from at)", "int64 1"),
    ("extract(day from at)", "int64 31"), ("extract(hour from at)", "int64 13"),
    ("extract(minute from at)", "int64 34"), ("extract(second from at)", "int64 56"),
    ("extract(millisecond from at)", "int64 789"), ("extract(quarter from at)", "int64 1"),
    ("extract(week from at)", "int64 5"), ("extract(doy from at)", "int64 31"), ("extract(dow from at)", "int64 7"),
    ("extract(isodow from at)", "int64 6"), ("extract(epoch from at)", "int64 1769866496"),
    ("extract(week from date '2021-01-03')", "int64 not null 53"),
    ("extract(isoyear from date '2021-01-03')", "int64 not null 2020"),
    ("extract(week from date '2024-12-30')", "int64 not null 1"),
    ("extract(isoyear from date '2024-12-30')", "int64 not null 2025"),
    ("extract(epoch from timestamp '1969-12-31T23:59:59.500Z')", "int64 not null -1"),
    ("extract(week from date '2026-12-31')", "int64 not null 53"), ("extract(hour from day)", "int64 0"),
    ("timestamp_add(month, 1, timestamp '2026-01-31T00:00:00Z')", "timestamp not null 2026-02-28T00:00:00.000Z"),
    ("timestamp_add(month, -1, timestamp '2024-03-31T10:00:00Z')", "timestamp not null 2024-02-29T10:00:00.000Z"),
    ("timestamp_add('hour', n, at)", "timestamp 2026-01-31T20:34:56.789Z"),
    ("timestamp_add(quarter, 1, date '2026-01-31')", "date not null 2026-04-30"),
    ("timestamp_add(year, 1, date '2024-02-29')", "date not null 2025-02-28"),
    ("timestampadd(week, 2, day)", "date 2026-02-14"),
    (
      "timestamp_add(day, 9223372036854775807, at)",
      "failed: 2026-01-31T13:34:56.789Z plus 9223372036854775807 days is outside the years 1 to 9999"
    ),
    (
      "timestamp_add(month, 9223372036854775807, at)",
      "failed: 2026-01-31T13:34:56.789Z plus 9223372036854775807 months is outside the years 1 to 9999"
    ),
    ("timestamp_diff(hour, timestamp '2026-01-01T00:00:00Z', timestamp '2026-01-01T01:59:59Z')", "int64 not null 1"),
    ("timestamp_diff(hour, timestamp '2026-01-01T01:59:59Z', timestamp '2026-01-01T00:00:00Z')", "int64 not null -1"),
    ("timestamp_diff(month, '2026-01-31T00:00:00Z', '2026-02-28T00:00:00Z')", "int64 not null 1"),
    ("timestamp_diff(month, '2026-01-30T12:00:00Z', '2026-03-30T11:59:59Z')", "int64 not null 1"),
    ("timestamp_diff(month, '2026-03-30T12:00:00Z', '2026-01-30T12:00:01Z')", "int64 not null -1"),
    ("timestamp_diff(year, date '2024-02-29', date '2026-02-28')", "int64 not null 2"),
    ("timestamp_diff(quarter, date '2026-01-01', date '2026-09-30')", "int64 not null 2"),
    ("timestamp_diff(day, date '2026-01-01', at)", "int64 30"), ("timestamp_diff(millisecond, at, at)", "int64 0"),
    ("timestampdiff(week, date '2026-01-01', date '2026-01-15')", "int64 not null 2"),
    // a zone's wall clock
    ("at at time zone 'Europe/Dublin'", "timestamp 2026-01-31T13:34:56.789Z"),
    ("timestamp '2026-07-01T12:00:00Z' at time zone 'Europe/Dublin'", "timestamp not null 2026-07-01T13:00:00.000Z"),
    ("at at time zone zone", "timestamp 2026-01-31T13:34:56.789Z"),
    ("timestamp '2026-03-29T00:59:59Z' at time zone 'Europe/Dublin'", "timestamp not null 2026-03-29T00:59:59.000Z"),
    ("timestamp '2026-03-29T01:00:00Z' at time zone 'Europe/Dublin'", "timestamp not null 2026-03-29T02:00:00.000Z"),
    ("timestamp '2026-10-25T00:30:00Z' at time zone 'Europe/Dublin'", "timestamp not null 2026-10-25T01:30:00.000Z"),
    ("timestamp '2026-10-25T01:30:00Z' at time zone 'Europe/Dublin'", "timestamp not null 2026-10-25T01:30:00.000Z"),
    ("date_trunc('day', at at time zone 'Asia/Kolkata')", "timestamp 2026-01-31T00:00:00.000Z"),
    ("timestamp '2026-01-01T00:00:00Z' at time zone '+05:30'", "timestamp not null 2026-01-01T05:30:00.000Z"),
    ("extract(hour from at at time zone 'America/New_York')", "int64 8"),
  ]) func timeFunctions_followTheCalendar(text: String, expected: String) { #expect(outcome(text) == expected) }

  @Test func anUnknownZoneOfARow_failsTheRow() {
    #expect(outcome("at at time zone zone", row: 2) == "failed: no time zone 'Mars/Olympus'")
    #expect(outcome("at at time zone zone", row: 1) == "timestamp null")
    #expect(outcome("parse_timestamp('2026', '%Y', zone)", row: 2) == "failed: no time zone 'Mars/Olympus'")
    #expect(outcome("try_parse_timestamp('2026', '%Y', zone)", row: 2) == "timestamp null")
  }

  @Test(arguments: [
    ("'31/01/26 13:45', '%d/%m/%y %H:%M'", "2026-01-31T13:45:00.000Z"),
    ("'1/2/14 8:05', '%d/%m/%y %H:%M'", "2014-02-01T08:05:00.000Z"), ("'31/01/2026 13:45', '%d/%m/%y %H:%M'", "null"),
    ("'31/01/26 13:45', '%d/%m/%Y %H:%M'", "null"),
    ("'69-01-01', '%y-%m-%d'", "1969-01-01T00:00:00.000Z"), ("'68-01-01', '%y-%m-%d'", "2068-01-01T00:00:00.000Z"),
    ("'2026-01-31T13:45:10.25+0130', '%Y-%m-%dT%H:%M:%S.%f%z'", "2026-01-31T12:15:10.250Z"),
    ("'2026-01-31 13:45:10Z', '%F %T%z'", "2026-01-31T13:45:10.000Z"),
    ("'20260131134510', '%Y%m%d%H%M%S'", "2026-01-31T13:45:10.000Z"),
    ("'Jan  5 2026 1:05 PM', '%b %e %Y %I:%M %p'", "2026-01-05T13:05:00.000Z"),
    ("'12:00 am 5 january 2026', '%I:%M %p %d %B %Y'", "2026-01-05T00:00:00.000Z"),
    ("'Mon, 05 Jan 2026', '%a, %d %b %Y'", "2026-01-05T00:00:00.000Z"),
    ("'2026 366', '%Y %j'", "null"), ("'2024 366', '%Y %j'", "2024-12-31T00:00:00.000Z"),
    ("'2026-02-29', '%F'", "null"), ("'2026-13-01', '%F'", "null"), ("'2026-01-01 24:00', '%F %R'", "null"),
    ("'2026-01-01x', '%F'", "null"), ("'1769866496', '%s'", "2026-01-31T13:34:56.000Z"),
    ("'-1', '%s'", "1969-12-31T23:59:59.000Z"),
    ("'100% 2026', '100%% %Y'", "2026-01-01T00:00:00.000Z"),
    ("'2026-07-01 12:00 Europe/Dublin', '%F %R %Z'", "2026-07-01T11:00:00.000Z"),
    ("'2026-07-01 12:00 Nowhere', '%F %R %Z'", "null"), ("'2026-01-01 00:00:00.1234', '%F %T.%f'", "null"),
    ("'2026-01-01 00:00:00.123000', '%F %T.%f'", "2026-01-01T00:00:00.123Z"),
    ("'2026-07-01 12:00', '%F %R', 'Europe/Dublin'", "2026-07-01T11:00:00.000Z"),
    ("'2026-03-29 01:30', '%F %R', 'Europe/Dublin'", "2026-03-29T01:00:00.000Z"),
    ("'2026-10-25 01:30', '%F %R', 'Europe/Dublin'", "2026-10-25T00:30:00.000Z"),
    ("'01/31/26', '%D'", "2026-01-31T00:00:00.000Z"), ("'', '%F'", "null"), ("null, '%F'", "null"),
  ]) func timestampsOfAFormat_areReadOrNull(arguments: String, expected: String) {
    #expect(value("try_parse_timestamp(\(arguments))") == expected)
  }

  @Test func aTextOfAnotherFormat_failsTheRowOrIsNull() {
    #expect(outcome("parse_timestamp(date, '%d/%m/%y %H:%M')") == "timestamp 2026-01-31T13:45:00.000Z")
    #expect(
      outcome("parse_timestamp(date, '%d/%m/%y %H:%M')", row: 2)
        == "failed: 'nonsense' is no timestamp in the format '%d/%m/%y %H:%M'")
    let both =
      "coalesce(try_parse_timestamp(date, '%d/%m/%Y %H:%M', 'Europe/Dublin'), try_parse_timestamp(date, '%d/%m/%y %H:%M', 'Europe/Dublin'))"
    #expect((0..<3).map { value(both, row: $0) } == ["2026-01-31T13:45:00.000Z", "null", "null"])
  }
}
