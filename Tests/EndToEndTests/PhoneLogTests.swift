import EndToEndSupport
import Foundation
import Testing

/// Five months of one person's phone log, with two date styles and bills that turn on the 13th.
@Suite struct PhoneLogTests {
  static let log = WeirProcess.root.deletingLastPathComponent().appendingPathComponent("shared/data/phone-log.csv")
  static var isThere: Bool { FileManager.default.fileExists(atPath: log.path) }

  static let topology = """
    weir: 1
    topology: phone-log
    checkpoint: {directory: checkpoints}
    sources:
      log:
        connector: file
        path: \(log.path)
        format: csv
        schema: {index: int64 not null, date: string not null, duration: "decimal(18,3)", item: string, month: string}
        computed:
          at: coalesce(try_parse_timestamp(date, '%d/%m/%y %H:%M', 'Europe/Dublin'), try_parse_timestamp(date, '%d/%m/%Y %H:%M', 'Europe/Dublin'))
        event_time: at
    steps:
      bills:
        from: log
        aggregate: {key: [month], values: {records: count(*), duration: sum(duration)}}
      cycles:
        from: log
        aggregate:
          window: {tumble: month, cycle_day: 13, timezone: Europe/Dublin}
          values: {records: count(*), duration: sum(duration)}
    sinks:
      bills: {from: bills, connector: file, path: bills, format: json}
      cycles: {from: cycles, connector: file, path: cycles, format: json}
    """

  @Test(.enabled(if: isThere, "the log is not on this machine"))
  func theBillsAreThePublishedTotals() throws {
    let folder = try TestFolder()
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", PhoneLogTests.topology)])
    #expect(result.status == 0, "\(result.errors)")
    var latest: [String: String] = [:]
    for row in folder.rows(in: "bills") {
      latest[PhoneLogTests.text(row, "month")] = PhoneLogTests.text(row, "duration")
    }
    #expect(
      latest == [
        "2014-11": "26639.441", "2014-12": "14641.870", "2015-01": "18223.299", "2015-02": "15522.299",
        "2015-03": "22750.441",
      ])
  }

  @Test(.enabled(if: isThere, "the log is not on this machine"))
  func theCyclesBeginAtLocalMidnightOfThe13th() throws {
    let folder = try TestFolder()
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", PhoneLogTests.topology)])
    #expect(result.status == 0, "\(result.errors)")
    let cycles = folder.rows(in: "cycles").map {
      "\(PhoneLogTests.text($0, "window_start")) \(PhoneLogTests.text($0, "duration"))"
    }
    #expect(
      cycles.sorted() == [
        "2014-10-12T23:00:00.000Z 26637.441", "2014-11-13T00:00:00.000Z 14240.870",
        "2014-12-13T00:00:00.000Z 17097.299", "2015-01-13T00:00:00.000Z 17206.299",
        "2015-02-13T00:00:00.000Z 22557.012", "2015-03-13T00:00:00.000Z 38.429",
      ])
  }

  /// The text of a field of a flat JSON row, exactly as it was written.
  static func text(_ row: String, _ field: String) -> String {
    guard let range = row.range(of: "\"\(field)\":") else { return "" }
    return String(row[range.upperBound...].prefix { $0 != "," && $0 != "}" }).trimmingCharacters(in: ["\""])
  }
}
