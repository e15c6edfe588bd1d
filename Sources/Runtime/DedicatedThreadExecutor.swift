#if canImport(Glibc)
  import Glibc
#endif
import StreamModel

/// A task executor with threads of its own, one unless said otherwise: what runs there may block without holding up anyone else.
///
/// The threads end when the executor is shut down and its queue is empty.
package final class DedicatedThreadExecutor: TaskExecutor, @unchecked Sendable {
  // Invariant for `Sendable`: `jobs`, `isShutDown` and `runningThreads` are touched only under `monitor`.
  private let monitor = Monitor()
  private var jobs: [UnownedJob] = []
  private var isShutDown = false
  private var runningThreads: Int

  /// Starts threads called `name` (its first 15 bytes show in `top -H`).
  package init(name: String, threadCount: Int = 1) {
    runningThreads = threadCount
    for _ in 0..<threadCount { startThread(name) }
  }

  private func startThread(_ name: String) {
    let start = ThreadStart(executor: self, name: String(name.prefix(15)))
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, 4 << 20)
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { argument in
        let start = Unmanaged<ThreadStart>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue()
        nameThread(start.name)
        start.executor.runJobs()
        return nil
      }, Unmanaged.passRetained(start).toOpaque())
    pthread_attr_destroy(&attributes)
    precondition(status == 0, "no thread can be started: \(String(cString: strerror(status)))")
  }

  private final class ThreadStart {
    let executor: DedicatedThreadExecutor
    let name: String
    init(executor: DedicatedThreadExecutor, name: String) {
      self.executor = executor
      self.name = name
    }
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
      while jobs.isEmpty && !isShutDown { monitor.wait() }
      return jobs.isEmpty ? nil : jobs.removeFirst()
    }
  }
}

/// Names the calling thread for `top -H` and profilers; without effect where /proc is not mounted.
private func nameThread(_ name: String) {
  let file = open("/proc/thread-self/comm", O_WRONLY)
  guard file >= 0 else { return }
  defer { close(file) }
  _ = name.withCString { write(file, $0, strlen($0)) }
}
