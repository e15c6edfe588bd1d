#if canImport(Glibc)
  import Glibc
#endif
import StreamModel

/// Named places at which a test can kill the process: `WEIR_CRASH_POINT=manifest-durable` dies there as `kill -9` would,
/// `manifest-durable:3` at the third time.
enum CrashPoint {
  private static let target: (name: String, times: Int)? = {
    guard let setting = getenv("WEIR_CRASH_POINT") else { return nil }
    let parts = String(cString: setting).split(separator: ":")
    guard let name = parts.first else { return nil }
    return (String(name), parts.count > 1 ? Int(parts[1]) ?? 1 : 1)
  }()
  private static let counter = Counter()

  /// Invariant for `Sendable`: `count` is touched only under `monitor`.
  private final class Counter: @unchecked Sendable {
    private let monitor = Monitor()
    private var count = 0
    func next() -> Int {
      monitor.locked {
        count += 1
        return count
      }
    }
  }

  static func reached(_ name: String) {
    guard let target, target.name == name, counter.next() == target.times else { return }
    kill(getpid(), SIGKILL)
  }

  /// Dies within the next milliseconds, while the caller goes on: somewhere in what it does now.
  static func reachedSoon(_ name: String) {
    guard let target, target.name == name, counter.next() == target.times else { return }
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
