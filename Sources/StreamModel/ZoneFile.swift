#if canImport(Glibc)
  import Glibc
#endif

/// A zone's offsets over time, in seconds: `offsets[i]` holds before `transitions[i]`, the last one after all of them.
struct ZoneTimeline: Equatable {
  var transitions: [Int64] = []
  var offsets: [Int64]
  /// Whether the 400 years before the last transition repeat for ever.
  var repeats = false

  init(fixedOffsetSeconds: Int64) { offsets = [fixedOffsetSeconds] }

  init(transitions: [Int64], offsets: [Int64]) {
    self.transitions = transitions
    self.offsets = offsets
  }

  /// Reads `Z`, `+05:30`, `-0800` or `+02` as seconds east of Greenwich.
  static func fixedOffset(_ name: String) -> Int64? {
    let text = Array(name.utf8)
    if text == [UInt8(ascii: "Z")] { return 0 }
    guard let sign = text.first, sign == UInt8(ascii: "+") || sign == UInt8(ascii: "-") else { return nil }
    var digits = text.dropFirst()
    if digits.count == 5, digits[digits.startIndex + 2] == UInt8(ascii: ":") {
      digits.remove(at: digits.startIndex + 2)
    }
    guard digits.count == 2 || digits.count == 4, digits.allSatisfy({ $0 &- 48 <= 9 }) else { return nil }
    let number = digits.reduce(0) { $0 * 10 + Int64($1 - 48) }
    let (hours, minutes) = digits.count == 2 ? (number, 0) : (number / 100, number % 100)
    guard hours <= 18, minutes < 60 else { return nil }
    return (hours * 60 + minutes) * (sign == UInt8(ascii: "-") ? -60 : 60)
  }

  /// Continues the timeline by `rule` for a little more than 400 years.
  mutating func extend(by rule: ZoneFooter) {
    guard rule.daylight != nil else { return }
    let start = transitions.last ?? .min
    let firstYear = start == .min ? 1900 : CivilTime.date(ofDay: start / 86_400).year
    for year in firstYear...firstYear + 402 {
      for change in rule.changes(in: year) where change.instant > start { append(change.offset, at: change.instant) }
    }
    repeats = true
  }

  private mutating func append(_ offset: Int64, at instant: Int64) {
    guard offset != offsets[offsets.count - 1] else { return }
    if transitions.last == instant {
      offsets[offsets.count - 1] = offset
    } else {
      transitions.append(instant)
      offsets.append(offset)
    }
  }
}

/// Reads TZif files (RFC 8536).
enum ZoneFile {
  static let directory = "/usr/share/zoneinfo/"
  private static let sizeLimitBytes = 1 << 20

  /// The bytes of the zone file called `name`, or nil where there is none.
  static func read(_ name: String) -> [UInt8]? {
    let descriptor = open(directory + name, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var part = [UInt8](repeating: 0, count: 1 << 14)
    while bytes.count < sizeLimitBytes {
      let count = Glibc.read(descriptor, &part, part.count)
      if count < 0 { return nil }
      if count == 0 { return bytes }
      bytes += part[0..<count]
    }
    return nil
  }

  /// The offsets that a file's bytes describe; nil when they are not a zone file, or one that counts leap seconds.
  static func timeline(_ bytes: [UInt8]) -> ZoneTimeline? {
    guard let first = Header(bytes, at: 0) else { return nil }
    guard first.version >= UInt8(ascii: "2") else { return first.timeline(bytes, timeSize: 4) }
    guard let second = Header(bytes, at: first.end(timeSize: 4)),
      var timeline = second.timeline(bytes, timeSize: 8)
    else { return nil }
    let footer = bytes[min(second.end(timeSize: 8), bytes.count)...].split(
      separator: 10, omittingEmptySubsequences: false)
    guard footer.count >= 2, !footer[1].isEmpty else { return timeline }
    guard let rule = ZoneFooter(footer[1]) else { return nil }
    timeline.extend(by: rule)
    return timeline
  }

  /// The counts that open each of a file's two parts.
  private struct Header {
    let version: UInt8
    private let start: Int
    private let universalCount, standardCount, leapCount, timeCount, typeCount, nameCount: Int

    init?(_ bytes: [UInt8], at start: Int) {
      guard start + 44 <= bytes.count, bytes[start..<start + 4].elementsEqual("TZif".utf8) else { return nil }
      self.start = start
      version = bytes[start + 4]
      let counts = (0..<6).map { Int(ZoneFile.number(bytes, start + 20 + $0 * 4, size: 4)) }
      guard counts.allSatisfy({ $0 >= 0 && $0 <= sizeLimitBytes }) else { return nil }
      (universalCount, standardCount, leapCount) = (counts[0], counts[1], counts[2])
      (timeCount, typeCount, nameCount) = (counts[3], counts[4], counts[5])
    }

    func end(timeSize: Int) -> Int {
      start + 44 + timeCount * (timeSize + 1) + typeCount * 6 + nameCount + leapCount * (timeSize + 4) + standardCount
        + universalCount
    }

    func timeline(_ bytes: [UInt8], timeSize: Int) -> ZoneTimeline? {
      guard end(timeSize: timeSize) <= bytes.count, leapCount == 0, typeCount > 0 else { return nil }
      let kinds = start + 44 + timeCount * timeSize
      let types = kinds + timeCount
      var timeline = ZoneTimeline(fixedOffsetSeconds: ZoneFile.number(bytes, types, size: 4))
      for index in 0..<timeCount {
        let kind = Int(bytes[kinds + index])
        guard kind < typeCount else { return nil }
        let instant = ZoneFile.number(bytes, start + 44 + index * timeSize, size: timeSize)
        guard timeline.transitions.last.map({ $0 < instant }) ?? true, instant < 1 << 50 else { return nil }
        timeline.transitions.append(max(instant, -(1 << 50)))
        timeline.offsets.append(ZoneFile.number(bytes, types + kind * 6, size: 4))
      }
      return timeline
    }
  }

  /// A big-endian signed number of four or eight bytes.
  private static func number(_ bytes: [UInt8], _ start: Int, size: Int) -> Int64 {
    let value = bytes[start..<start + size].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    return size == 4 ? Int64(Int32(truncatingIfNeeded: value)) : Int64(bitPattern: value)
  }
}
