#if canImport(Glibc)
  import Glibc
#endif

/// A thread of the system's own, for what may block. Nobody joins it: it is gone when its body returns.
package final class NamedThread: Sendable {
  private let name: String
  private let body: @Sendable () -> Void

  /// A thread yet to be started. The first 15 bytes of `name` show in `top -H`.
  package init(_ name: String, _ body: @escaping @Sendable () -> Void) {
    self.name = String(name.prefix(15))
    self.body = body
  }

  package func start(stackBytes: Int = 4 << 20) {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    pthread_attr_setstacksize(&attributes, stackBytes)
    var thread = pthread_t()
    let status = pthread_create(&thread, &attributes, runNamedThread, Unmanaged.passRetained(self).toOpaque())
    pthread_attr_destroy(&attributes)
    precondition(status == 0, "no thread can be started: \(String(cString: strerror(status)))")
  }

  /// The calling thread computes in long stretches: woken, it waits for a processor instead of interrupting who has one. Without
  /// effect where the system does not allow it.
  package static func preferThroughput() {
    var parameters = sched_param()
    pthread_setschedparam(pthread_self(), batchPolicy, &parameters)
  }

  /// SCHED_BATCH of Linux's <sched.h>, which Swift's Glibc leaves out.
  private static let batchPolicy: Int32 = 3

  fileprivate func run() {
    setName()
    body()
  }

  /// Names the calling thread for `top -H` and profilers; without effect where /proc is not mounted.
  private func setName() {
    let file = open("/proc/thread-self/comm", O_WRONLY)
    guard file >= 0 else { return }
    defer { close(file) }
    _ = name.withCString { write(file, $0, strlen($0)) }
  }
}

private func runNamedThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  Unmanaged<NamedThread>.fromOpaque(argument.unsafelyUnwrapped).takeRetainedValue().run()
  return nil
}
