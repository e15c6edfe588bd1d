import Glibc
import Runtime

/// Runs a job beside a loop that watches for signals and draws the progress line.
struct RunMonitor {
  let job: Job
  let showsProgress: Bool

  /// How often the progress line is drawn, and how soon after the end the loop notices.
  private static let tickMilliseconds = 200

  func run() async throws -> JobSummary {
    let watch = SignalWatch(job: job, progress: showsProgress ? ProgressLine(job.progress) : nil)
    watch.start()
    defer { watch.end() }
    return try await job.run()
  }
}

/// A thread that waits for SIGINT and SIGTERM, and draws the progress line meanwhile.
///
/// The first signal asks the job to stop cleanly; the second ends the process at once.
/// Invariant for `Sendable`: `thread` is set by `start` and read by `end`, both on the caller's side; the rest is constant.
final class SignalWatch: @unchecked Sendable {
  private let job: Job
  private let progress: ProgressLine?
  private var thread = pthread_t()

  init(job: Job, progress: ProgressLine?) {
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
    Signals.forward(to: thread)
  }

  /// Ends the thread, whatever it waits for, and takes the progress line away.
  func end() {
    Signals.stopForwarding()
    pthread_kill(thread, SIGUSR1)
    pthread_join(thread, nil)
    progress?.erase()
  }

  private func loop() {
    var signals = Signals.watched
    var stops = 0
    while true {
      var timeout = timespec(tv_sec: 0, tv_nsec: 200_000_000)
      let signal = sigtimedwait(&signals, nil, &timeout)
      if signal == SIGUSR1 { return }
      if signal == SIGINT || signal == SIGTERM {
        stops += 1
        if stops > 1 { _exit(130) }
        StandardError.write("\nweir: stopping; once more to end at once\n")
        job.requestStop()
      }
      progress?.draw()
    }
  }
}

/// The signals the command waits for instead of dying of.
enum Signals {
  static var watched: sigset_t {
    var signals = sigset_t()
    sigemptyset(&signals)
    sigaddset(&signals, SIGINT)
    sigaddset(&signals, SIGTERM)
    sigaddset(&signals, SIGUSR1)
    return signals
  }

  /// Makes this thread, and those started from it, leave the watched signals to the watching thread. A closed pipe is an
  /// error of the write, not a signal.
  static func block() {
    var signals = watched
    pthread_sigmask(SIG_BLOCK, &signals, nil)
    signal(SIGPIPE, SIG_IGN)
  }

  /// The thread that waits for signals. Written before the handlers that read it are installed.
  nonisolated(unsafe) private static var watcher = pthread_t()

  /// Sends SIGINT and SIGTERM on to `thread`, whichever thread they reach. Blocking them is not enough: the main thread
  /// of an asynchronous program waits with all signals open.
  static func forward(to thread: pthread_t) {
    watcher = thread
    for number in [SIGINT, SIGTERM] { signal(number) { number in _ = pthread_kill(Signals.watcher, number) } }
  }

  /// From here on these signals end the process.
  static func stopForwarding() {
    for number in [SIGINT, SIGTERM] { signal(number, SIG_DFL) }
  }
}
