import Glibc
import StreamModel

/// Makes a file that grows durable while it grows, on a thread of its own, so that the last `fsync` has little left to wait for.
///
/// `sync_file_range` would only hand the bytes to the device; they would lie in its cache until the one flush at the end
/// wrote them all. An error is the system's to tell once and once only, whoever asks first: it is kept for `finish`.
final class BackgroundSync: @unchecked Sendable {
  // Invariant for `Sendable`: all `var`s are touched only under `monitor`.
  private let monitor = Monitor()
  private let descriptor: Int32
  private let everyBytes: Int64
  private var written: Int64 = 0
  private var isFinishing = false
  private var hasEnded = false
  private var failure: Int32 = 0

  /// Starts the thread. `descriptor` stays open until `finish` has returned.
  init(descriptor: Int32, everyBytes: Int64) {
    self.descriptor = descriptor
    self.everyBytes = everyBytes
    NamedThread("sync") { self.run() }.start(stackBytes: 256 << 10)
  }

  /// The file has `bytes` bytes.
  func note(written bytes: Int64) {
    monitor.locked {
      written = bytes
      monitor.signalAll()
    }
  }

  /// Ends the thread. Returns the `errno` of what failed, 0 where nothing did.
  func finish() -> Int32 {
    monitor.locked {
      isFinishing = true
      monitor.signalAll()
      while !hasEnded { monitor.wait() }
      return failure
    }
  }

  /// Whether something failed already.
  var hasFailed: Bool { monitor.locked { failure != 0 } }

  private func run() {
    var synced: Int64 = 0
    while let next = nextSize(after: synced) {
      synced = next
      let code = retryingInterrupts({ Int(fdatasync(descriptor)) }) < 0 ? errno : 0
      if code != 0 { monitor.locked { failure = code } }
    }
    monitor.locked {
      hasEnded = true
      monitor.signalAll()
    }
  }

  /// Waits until there is enough to sync; nil once nothing more is to be.
  private func nextSize(after synced: Int64) -> Int64? {
    monitor.locked {
      while written - synced < everyBytes && !isFinishing { monitor.wait() }
      return isFinishing || failure != 0 ? nil : written
    }
  }
}
