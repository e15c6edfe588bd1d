import Foundation
import StreamModel

/// Times of the random inputs.
enum TestTimes {
  /// 2026-03-27T20:00:00Z: two days before clocks change in Europe.
  static let base: EventTime = 1_774_641_600_000

  /// A time as JSON writes it, worked out by the C library.
  static func text(_ time: EventTime) -> String {
    let milliseconds = ((time % 1000) + 1000) % 1000
    var seconds = time_t((time - milliseconds) / 1000)
    var parts = tm()
    gmtime_r(&seconds, &parts)
    return String(
      format: "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", Int(parts.tm_year) + 1900, Int(parts.tm_mon) + 1,
      Int(parts.tm_mday), Int(parts.tm_hour), Int(parts.tm_min), Int(parts.tm_sec), Int(milliseconds))
  }

  /// A duration as a topology writes it.
  static func duration(_ milliseconds: Int64) -> String {
    for (unit, size) in [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)] as [(String, Int64)]
    where milliseconds != 0 && milliseconds % size == 0 {
      return "\(milliseconds / size)\(unit)"
    }
    return "\(milliseconds)ms"
  }
}
