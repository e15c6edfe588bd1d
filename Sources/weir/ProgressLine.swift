import Glibc
import Runtime
import StreamModel

/// One line on the terminal that says how a run is doing: rows in, rows out, rate, watermark and its lag.
final class ProgressLine: @unchecked Sendable {
  // Invariant for `Sendable`: drawn by one thread, erased by another only after that one has been joined.
  private let job: JobSupervisor
  private var lastRecords = 0
  private var lastTime = ProgressLine.now()
  private var rate = 0.0
  private var isDrawn = false

  init(_ job: JobSupervisor) { self.job = job }

  func draw() {
    let progress = job.progress
    let records = progress.recordsReadSinceStart
    let time = ProgressLine.now()
    if time > lastTime { rate = Double(max(0, records - lastRecords)) / (time - lastTime) }
    lastRecords = records
    lastTime = time
    var line = "in \(Numbers.grouped(records))  out \(Numbers.grouped(progress.rowsWritten))"
    line += "  \(Numbers.grouped(Int(rate))) rows/s"
    if let watermark = progress.watermark { line += "  watermark \(CivilTime.formatTimestamp(watermark).prefix(19))Z" }
    let lag = progress.lag().reduce(0) { $0 + Int($1.records) }
    if lag > 0 { line += "  behind \(Numbers.grouped(lag))" }
    if progress.deadLetterCount > 0 { line += "  dead letters \(Numbers.grouped(progress.deadLetterCount))" }
    StandardError.write("\r\u{1B}[2K" + line)
    isDrawn = true
  }

  func erase() { if isDrawn { StandardError.write("\r\u{1B}[2K") } }

  private static func now() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }
}

/// Numbers for people.
enum Numbers {
  /// `1234567` as `1,234,567`.
  static func grouped(_ number: Int) -> String {
    var digits = Array(String(number.magnitude))
    var position = digits.count - 3
    while position > 0 {
      digits.insert(",", at: position)
      position -= 3
    }
    return (number < 0 ? "-" : "") + String(digits)
  }

  /// Seconds with two places.
  static func seconds(nanoseconds: Int64) -> String {
    let hundredths = (nanoseconds + 5_000_000) / 10_000_000
    let rest = hundredths % 100
    return "\(hundredths / 100).\(rest < 10 ? "0" : "")\(rest) s"
  }
}
