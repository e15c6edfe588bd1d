import Glibc
import Runtime
import StreamModel
import Synchronization

/// Runs a job beside a loop that watches for signals and draws the progress line.
struct RunMonitor {
  let job: JobSupervisor
  let showsProgress: Bool

  func run() async throws -> JobSummary {
    let watch = SignalWatch(job: job, progress: showsProgress ? ProgressLine(job) : nil)
    watch.start()
    defer { watch.end() }
    return try await job.run()
  }
}

/// A thread that notices SIGINT and SIGTERM, and draws the progress line meanwhile.
///
/// The first signal asks the job to stop cleanly; the second ends the process at once.
/// Invariant for `Sendable`: `thread` is set by `start` and read by `end`, both on the caller's side, `hasEnded` is touched only
/// under `ending`; the rest is constant.
final class SignalWatch: @unchecked Sendable {
  /// How soon a signal is noticed, and how often the progress line is drawn, in ms.
  private static let tickMilliseconds: Int64 = 20
  private static let ticksPerLine = 10

  private let job: JobSupervisor
  private let progress: ProgressLine?
  private let ending = Monitor()
  private var hasEnded = false
  private var thread = pthread_t()

  init(job: JobSupervisor, progress: ProgressLine?) {
    self.job = job
    self.progress = progress
  }

  func start() {
    pthread_create(
      &thread, nil,
      { argument in
        Unmanaged<SignalWatch>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue().loop()
        return nil
      }, Unmanaged.passRetained(self).toOpaque())
  }

  /// Ends the thread and takes the progress line away.
  func end() {
    ending.locked {
      hasEnded = true
      ending.signalAll()
    }
    pthread_join(thread, nil)
    progress?.erase()
  }

  private func loop() {
    var isStopping = false
    var ticks = 0
    while !restsUntilNextTick() {
      if Signals.count > 0 && !isStopping {
        isStopping = true
        StandardError.write("\nweir: stopping; once more to end at once\n")
        job.requestStop()
      }
      if ticks % SignalWatch.ticksPerLine == 0 { progress?.draw() }
      ticks += 1
    }
  }

  /// Waits for a tick, or for the end; whether that has come.
  private func restsUntilNextTick() -> Bool {
    ending.locked {
      if !hasEnded { ending.wait(milliseconds: SignalWatch.tickMilliseconds) }
      return hasEnded
    }
  }
}

/// The signals that stop a run cleanly instead of killing the process.
enum Signals {
  private static let received = Atomic<Int>(0)

  /// How many have come.
  static var count: Int { received.load(ordering: .relaxed) }

  /// From now on SIGINT and SIGTERM are counted; the second ends the process. A closed pipe is an error of the write.
  static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        if Signals.received.add(1, ordering: .relaxed).newValue > 1 { _exit(130) }
      }
    }
    signal(SIGPIPE, SIG_IGN)
  }
}
