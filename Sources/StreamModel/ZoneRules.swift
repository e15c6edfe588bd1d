import Synchronization

/// A time zone: how far its wall clock was, is and will be from UTC.
///
/// Read from the system's TZif files (RFC 8536): the recorded transitions, then the file's footer rule, written out for 400
/// years, after which the Gregorian calendar repeats. Immutable but for a hint at the interval that was looked up last, so
/// that rows in order of time cost no search; any number of threads may ask.
package final class ZoneRules: Sendable {
  package let name: String
  /// UTC instants, in ms ascending, at which the offset changes.
  private let transitions: [Int64]
  /// `offsets[i]` holds before `transitions[i]`, the last one from the last transition on; in ms.
  private let offsets: [Int64]
  /// From here the last 400 years repeat; nil where the last offset stays for good.
  private let repeatsFrom: Int64?
  private let hint = Atomic<Int>(0)

  /// 400 Gregorian years: a whole number of weeks.
  private static let cycleMilliseconds: Int64 = 146_097 * CivilTime.millisecondsPerDay
  /// More than any zone was ever away from UTC.
  private static let widestOffset: Int64 = 26 * 3_600_000

  init(name: String, timeline: ZoneTimeline) {
    self.name = name
    transitions = timeline.transitions.map { $0 * 1000 }
    offsets = timeline.offsets.map { $0 * 1000 }
    repeatsFrom = timeline.repeats ? transitions.last : nil
  }

  /// What to add to the UTC time `time` to get the zone's wall clock, in ms.
  package func offsetMilliseconds(atUTC time: EventTime) -> Int64 {
    guard let last = transitions.last else { return offsets[0] }
    var time = time
    if repeatsFrom != nil, time >= last {
      time -= ((time - last) / ZoneRules.cycleMilliseconds + 1) * ZoneRules.cycleMilliseconds
    }
    return offsets[interval(at: time)]
  }

  /// The same, and a span around `time`, from `from` and before `end`, in which it stays so.
  package func offset(atUTC time: EventTime) -> (milliseconds: Int64, from: EventTime, end: EventTime) {
    guard let last = transitions.last else { return (offsets[0], EventTimes.minimum, EventTimes.maximum) }
    var shift: Int64 = 0
    if repeatsFrom != nil, time >= last {
      shift = ((time - last) / ZoneRules.cycleMilliseconds + 1) * ZoneRules.cycleMilliseconds
    }
    let index = interval(at: time - shift)
    let begin = index == 0 ? EventTimes.minimum : transitions[index - 1] + shift
    let from = shift == 0 ? begin : max(begin, last + shift - ZoneRules.cycleMilliseconds)
    return (offsets[index], from, index == transitions.count ? EventTimes.maximum : transitions[index] + shift)
  }

  /// The first instant at which the zone's wall clock shows `local` or later: in a gap the instant of the transition, in an
  /// overlap the earlier of the two.
  package func utc(ofLocal local: Int64) -> EventTime {
    var local = local
    var shift: Int64 = 0
    if let repeatsFrom, local >= repeatsFrom - ZoneRules.widestOffset {
      shift =
        ((local - repeatsFrom + ZoneRules.widestOffset) / ZoneRules.cycleMilliseconds + 1) * ZoneRules.cycleMilliseconds
      local -= shift
    }
    var index = interval(at: local - ZoneRules.widestOffset)
    while index < transitions.count, transitions[index] + offsets[index] <= local { index += 1 }
    let instant = local - offsets[index]
    return shift + (index == 0 ? instant : max(instant, transitions[index - 1]))
  }

  /// The number of transitions at or before `time`.
  private func interval(at time: Int64) -> Int {
    let guess = hint.load(ordering: .relaxed)
    if (guess == 0 || transitions[guess - 1] <= time) && (guess == transitions.count || time < transitions[guess]) {
      return guess
    }
    var low = 0
    var high = transitions.count
    while low < high {
      let middle = (low + high) / 2
      if transitions[middle] <= time { low = middle + 1 } else { high = middle }
    }
    hint.store(low, ordering: .relaxed)
    return low
  }
}

extension ZoneRules {
  /// Coordinated Universal Time.
  package static let utc = ZoneRules(name: "UTC", timeline: ZoneTimeline(fixedOffsetSeconds: 0))

  /// Zones looked up so far, nil for names that are none; `capacity` bounds what names in a column can make it hold.
  private static let known = Guarded<[String: ZoneRules?]>(["UTC": utc])
  private static let capacity = 4096

  /// The zone called `name`: of the IANA database (`Europe/Dublin`), or an offset (`+05:30`). Nil when there is none.
  package static func named(_ name: String) -> ZoneRules? {
    if let found = known.withLock({ $0[name] }) { return found }
    let zone = read(name)
    return known.withLock { known in
      if let found = known[name] { return found }
      if known.count < capacity || zone != nil { known[name] = .some(zone) }
      return zone
    }
  }

  private static func read(_ name: String) -> ZoneRules? {
    if let seconds = ZoneTimeline.fixedOffset(name) {
      return ZoneRules(name: name, timeline: ZoneTimeline(fixedOffsetSeconds: seconds))
    }
    guard isPlain(name), let bytes = ZoneFile.read(name), let timeline = ZoneFile.timeline(bytes) else { return nil }
    return ZoneRules(name: name, timeline: timeline)
  }

  /// Whether `name` can be a file below the zone directory and nowhere else.
  private static func isPlain(_ name: String) -> Bool {
    guard !name.isEmpty, name.utf8.count <= 64, name.utf8.first != UInt8(ascii: "/") else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"),
        UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "/"):
        true
      default: false
      }
    }
  }
}
