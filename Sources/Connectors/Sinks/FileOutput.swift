import Formats
import Glibc
import StreamModel

/// An open file that bytes are appended to, all of them or an error.
final class FileOutput {
  let path: String
  private let place: String
  private let descriptor: Int32
  private let isOwned: Bool
  private(set) var sizeBytes: Int64 = 0
  private var background: BackgroundSync?
  private static let backgroundBytes: Int64 = 2 << 20

  /// Creates `path`, which must not exist.
  init(creating path: String, place: String) throws(ConnectorError) {
    self.path = path
    self.place = place
    isOwned = true
    descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw .system(errno, place: place, path: path, cannot: "create") }
  }

  /// Creates `path` or empties the file that is there.
  init(replacing path: String, place: String) throws(ConnectorError) {
    self.path = path
    self.place = place
    isOwned = true
    descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    if descriptor < 0 { throw .system(errno, place: place, path: path, cannot: "create") }
  }

  /// Writes to a descriptor that is somebody else's to close, called `path` in messages.
  init(descriptor: Int32, path: String, place: String) {
    self.path = path
    self.place = place
    self.descriptor = descriptor
    isOwned = false
  }

  deinit {
    _ = background?.finish()
    if isOwned && descriptor >= 0 { Glibc.close(descriptor) }
  }

  func write(_ bytes: UnsafeBufferPointer<UInt8>) throws(ConnectorError) {
    guard let start = bytes.baseAddress else { return }
    var done = 0
    while done < bytes.count {
      let written = retryingInterrupts { append(start + done, bytes.count - done) }
      if written > 0 {
        done += written
      } else if errno == EAGAIN {
        waitUntilWritable()
      } else {
        throw .system(errno, place: place, path: path, cannot: "write")
      }
    }
    sizeBytes += Int64(done)
  }

  private func append(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> Int {
    guard FaultPoint.fails("sink-write") else { return Glibc.write(descriptor, bytes, count) }
    // A write that fails may have written a part.
    let code = errno
    _ = Glibc.write(descriptor, bytes, count / 2)
    errno = code
    return -1
  }

  /// A terminal or pipe may have been made non-blocking by whoever shares it.
  private func waitUntilWritable() {
    var request = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
    _ = poll(&request, 1, -1)
  }

  /// Lets what was written become durable meanwhile: then `sync` has little left to wait for, and says what went wrong.
  func syncInBackground() {
    guard sizeBytes >= FileOutput.backgroundBytes else { return }
    let background = background ?? BackgroundSync(descriptor: descriptor, everyBytes: FileOutput.backgroundBytes)
    self.background = background
    background.note(written: sizeBytes)
  }

  /// Makes everything written so far durable.
  func sync() throws(ConnectorError) {
    let earlier = background?.finish() ?? 0
    background = nil
    if FaultPoint.fails("sink-sync") || retryingInterrupts({ Int(fsync(descriptor)) }) < 0 {
      throw .system(errno, place: place, path: path, cannot: "make durable (fsync)")
    }
    if earlier != 0 { throw .system(earlier, place: place, path: path, cannot: "make durable (fdatasync)") }
  }
}
