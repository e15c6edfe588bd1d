import StreamModel

/// A task executor with threads of its own, one unless said otherwise: what runs there may block without holding up anyone else.
///
/// The threads end when the executor is shut down and its queue is empty.
package final class DedicatedThreadExecutor: TaskExecutor, @unchecked Sendable {
  // Invariant for `Sendable`: `jobs`, `firstJob`, `isShutDown` and `runningThreads` are touched only under `monitor`.
  private let monitor = Monitor()
  private var jobs: [UnownedJob] = []
  /// Those before it have been taken.
  private var firstJob = 0
  private var isShutDown = false
  private var runningThreads: Int

  /// Starts threads called `name` (its first 15 bytes show in `top -H`).
  package init(name: String, threadCount: Int = 1) {
    runningThreads = threadCount
    for _ in 0..<threadCount { NamedThread(name) { self.runJobs() }.start() }
  }

  package func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    monitor.locked {
      jobs.append(job)
      monitor.signalAll()
    }
  }

  /// Lets the threads end once nothing is queued.
  package func shutDown() {
    monitor.locked {
      isShutDown = true
      monitor.signalAll()
    }
  }

  /// Returns when the threads have let go of everything they ran; after `shutDown`, and not from one of them.
  package func waitUntilEnded() { monitor.locked { while runningThreads > 0 { monitor.wait() } } }

  private func runJobs() {
    while let job = nextJob() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    monitor.locked {
      runningThreads -= 1
      monitor.signalAll()
    }
  }

  private func nextJob() -> UnownedJob? {
    monitor.locked {
      while firstJob == jobs.count && !isShutDown { monitor.wait() }
      guard firstJob < jobs.count else { return nil }
      defer {
        firstJob += 1
        if firstJob == jobs.count || firstJob > 4096 {
          jobs.removeFirst(firstJob)
          firstJob = 0
        }
      }
      return jobs[firstJob]
    }
  }
}
