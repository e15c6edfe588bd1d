import StreamModel
import TestSupport

extension TopologyMaker {
  /// A window that has one answer for `stream` in groups by `key`.
  mutating func makeWindow(_ stream: TestStream, _ key: [Int]) -> TestWindow {
    let size = unit * [1, 2, 5, 12, 60][Int(random.int(0...4))]
    let offset = random.chance(0.3) ? unit * random.int(-7...7) / 2 : 0
    let kind = random.int(0...(stream.allowsSessions(key) ? 8 : 6))
    switch kind {
    case 0, 1: return .tumble(size: size, offset: offset)
    case 2: return .hop(size: size * random.int(1...4), every: size, offset: offset)
    case 3: return .cumulate(size: size * random.int(1...4), every: size, offset: offset)
    case 4, 5, 6: return makeCalendarWindow(stream)
    default: return .session(gap: unit * random.int(1...6))
    }
  }

  private mutating func makeCalendarWindow(_ stream: TestStream) -> TestWindow {
    let zones = ["UTC", "Europe/Dublin", "Africa/Casablanca", "America/Havana", "Australia/Lord_Howe", "Africa/Cairo"]
    var zone = TestWindow.TestZone.constant(zones[Int(random.int(0...5))])
    if random.chance(0.4), let column = stream.index("zone") { zone = .column(column, name: "zone") }
    switch random.int(0...2) {
    case 0: return .day(zone)
    case 1: return .week(zone)
    default:
      if random.chance(0.4), let column = stream.index("cycle") {
        return .month(zone, cycleDay: .column(column, name: "cycle"))
      }
      return .month(zone, cycleDay: .constant(Int(random.int(1...31))))
    }
  }
}

extension TestWindow {
  /// Whether a row belongs to one window that never meets another.
  var isSingle: Bool {
    switch self {
    case .tumble, .day, .week, .month: true
    case .hop, .cumulate, .session: false
    }
  }

  /// Whether windows of a key all end at different times.
  var hasOneEnd: Bool {
    switch self {
    case .tumble, .hop, .cumulate, .session: true
    case .day(.constant), .week(.constant), .month(.constant, .constant): true
    case .day, .week, .month: false
    }
  }

  /// As a topology writes it.
  var yaml: String {
    let (size, offset): (String, Int64)
    switch self {
    case .tumble(let length, let start): (size, offset) = ("tumble: \(TestTimes.duration(length))", start)
    case .hop(let length, let every, let start):
      (size, offset) = ("hop: \(TestTimes.duration(length)), every: \(TestTimes.duration(every))", start)
    case .cumulate(let length, let every, let start):
      (size, offset) = ("cumulate: \(TestTimes.duration(length)), every: \(TestTimes.duration(every))", start)
    case .session(let gap): return "{session: \(TestTimes.duration(gap))}"
    case .day(let zone): return "{tumble: day, timezone: \(zone.yaml)}"
    case .week(let zone): return "{tumble: week, timezone: \(zone.yaml)}"
    case .month(let zone, let cycleDay): return "{tumble: month, timezone: \(zone.yaml), cycle_day: \(cycleDay.yaml)}"
    }
    return offset == 0 ? "{\(size)}" : "{\(size), offset: \(offset < 0 ? "-" : "")\(TestTimes.duration(abs(offset)))}"
  }
}

extension TestWindow.TestZone {
  fileprivate var yaml: String {
    switch self {
    case .constant(let name), .column(_, let name): name
    }
  }
}

extension TestWindow.TestCycleDay {
  fileprivate var yaml: String {
    switch self {
    case .constant(let day): "\(day)"
    case .column(_, let name): name
    }
  }
}
