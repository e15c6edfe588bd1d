import Glibc
import Synchronization

/// Named places at which a test can kill the process: `WEIR_CRASH_POINT=manifest-durable` dies there as `kill -9` would,
/// `manifest-durable:3` at the third time.
package enum CrashPoint {
  private static let target: (name: String, times: Int)? = {
    guard let setting = getenv("WEIR_CRASH_POINT") else { return nil }
    let parts = String(cString: setting).split(separator: ":")
    guard let name = parts.first else { return nil }
    return (String(name), parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
  }()
  private static let count = Atomic<Int>(0)

  package static func reached(_ name: StaticString) {
    guard let target, target.name == name.description else { return }
    guard count.add(1, ordering: .relaxed).newValue == target.times else { return }
    kill(getpid(), SIGKILL)
  }

  /// Dies within the next milliseconds, while the caller goes on: somewhere in what it does now.
  package static func reachedSoon(_ name: StaticString) {
    guard let target, target.name == name.description else { return }
    guard count.add(1, ordering: .relaxed).newValue == target.times else { return }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { _ in
        poll(nil, 0, Int32.random(in: 0...6))
        kill(getpid(), SIGKILL)
        return nil
      }, nil)
  }
}

/// Named system calls that a test can make fail: `WEIR_FAULT=sink-sync:EIO` fails every call there, `sink-sync:EIO:3` the
/// third, `sink-sync:EIO:3-5` the third to the fifth, `sink-sync:EIO:3-` all from the third on. Several are separated by
/// commas.
package enum FaultPoint {
  private static let rules: [Rule] = (getenv("WEIR_FAULT").map { String(cString: $0) } ?? "")
    .split(separator: ",").compactMap { Rule($0) }

  /// Invariant for `Sendable`: everything but `count` is constant, and that is atomic.
  private final class Rule: Sendable {
    let name: String
    let code: Int32
    let times: ClosedRange<Int>
    let count = Atomic<Int>(0)

    init?(_ text: Substring) {
      let parts = text.split(separator: ":")
      guard parts.count >= 2, let code = FaultPoint.codes[String(parts[1])] else { return nil }
      name = String(parts[0])
      self.code = code
      guard parts.count > 2 else {
        times = 1...Int.max
        return
      }
      let bounds = parts[2].split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
      let first = bounds[0] ?? 1
      times = first...max(first, bounds.count > 1 ? bounds[1] ?? Int.max : first)
    }
  }

  private static let codes = [
    "ENOSPC": ENOSPC, "EIO": EIO, "EDQUOT": EDQUOT, "EROFS": EROFS, "EACCES": EACCES, "EAGAIN": EAGAIN,
  ]

  /// Whether the call named `name` is to fail; then `errno` says how.
  package static func fails(_ name: StaticString) -> Bool {
    guard !rules.isEmpty else { return false }
    for rule in rules where rule.name == name.description {
      if rule.times.contains(rule.count.add(1, ordering: .relaxed).newValue) {
        errno = rule.code
        return true
      }
    }
    return false
  }
}
