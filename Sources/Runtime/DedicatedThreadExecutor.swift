import StreamModel

/// A task executor with one thread of its own: a subtask may block it without holding up anyone else.
///
/// The thread ends when the executor is shut down and its queue is empty.
final class DedicatedThreadExecutor: TaskExecutor, @unchecked Sendable {
  // Invariant for `Sendable`: `jobs` and `isShutDown` are touched only under `monitor`.
  private let monitor = Monitor()
  private var jobs: [UnownedJob] = []
  private var isShutDown = false

  /// Starts a thread called `name` (its first 15 bytes show in `top -H`).
  init(name: String) {
    NamedThread(name) { self.runJobs() }.start()
  }

  func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    monitor.locked {
      jobs.append(job)
      monitor.signalAll()
    }
  }

  /// Lets the thread end once nothing is queued.
  func shutDown() {
    monitor.locked {
      isShutDown = true
      monitor.signalAll()
    }
  }

  private func runJobs() {
    while let job = nextJob() { job.runSynchronously(on: asUnownedTaskExecutor()) }
  }

  private func nextJob() -> UnownedJob? {
    monitor.locked {
      while jobs.isEmpty && !isShutDown { monitor.wait() }
      return jobs.isEmpty ? nil : jobs.removeFirst()
    }
  }
}
