#if canImport(Glibc)
  import Glibc
#endif

/// A lock with a condition to wait for, for threads that may block: subtasks run on threads of their own.
///
/// Invariant for `Sendable`: `mutex` and `condition` are initialised once, never moved, and thread-safe by POSIX.
package final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    pthread_mutex_init(mutex, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` under the lock.
  package func locked<Result, Failure: Error>(_ body: () throws(Failure) -> Result) throws(Failure) -> Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body()
  }

  /// Gives the lock up until someone signals; only inside `locked`. May wake without reason.
  package func wait() { pthread_cond_wait(condition, mutex) }

  /// Like `wait()`, for at most `milliseconds`.
  package func wait(milliseconds: Int64) {
    var deadline = timespec()
    clock_gettime(CLOCK_MONOTONIC, &deadline)
    let nanoseconds = Int64(deadline.tv_nsec) + (milliseconds % 1000) * 1_000_000
    deadline.tv_sec += Int(milliseconds / 1000 + nanoseconds / 1_000_000_000)
    deadline.tv_nsec = Int(nanoseconds % 1_000_000_000)
    pthread_cond_timedwait(condition, mutex, &deadline)
  }

  /// Wakes every waiter.
  package func signalAll() { pthread_cond_broadcast(condition) }
}

/// Clocks.
package enum Clock {
  /// Milliseconds since 1970.
  package static func wallMilliseconds() -> Int64 { read(CLOCK_REALTIME) / 1_000_000 }
  /// Nanoseconds since some fixed point.
  package static func monotonicNanoseconds() -> Int64 { read(CLOCK_MONOTONIC) }

  private static func read(_ clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}
