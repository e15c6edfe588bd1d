import Formats
import Glibc
import StreamModel

/// The bytes of one open file, in order, decompressed where its name ends in `.gz` or `.zst`.
///
/// Offsets are in decompressed bytes. One caller at a time.
final class FileBytes {
  let path: String
  private let place: String
  private let descriptor: Int32
  /// How many (decompressed) bytes have been read.
  private(set) var offset: Int64 = 0
  /// The size the file had when it was opened, in bytes on disk; what is appended later is not read.
  private let sizeBytes: Int64

  /// Files at least this large are announced to the kernel as read from start to end.
  private static let readaheadBytes: Int64 = 1 << 20

  init(path: String, place: String) throws(ConnectorError) {
    self.path = path
    self.place = place
    descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(errno, place: place, path: path, cannot: "open") }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let code = errno
      Glibc.close(descriptor)
      throw .system(code, place: place, path: path, cannot: "read")
    }
    sizeBytes = Int64(status.st_size)
    if sizeBytes >= FileBytes.readaheadBytes { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL) }
  }

  deinit { Glibc.close(descriptor) }

  /// How many bytes are left to read, where that is known: in a file that is not compressed.
  var remainingBytes: Int? { Int(sizeBytes - offset) }

  /// Reads `count` bytes to `target`; fewer only at the end of the file.
  func read(into target: UnsafeMutableRawPointer, count: Int) throws(ConnectorError) -> Int {
    var filled = 0
    while filled < count {
      let given = try readSome(into: target + filled, count: count - filled)
      if given == 0 { break }
      filled += given
      offset += Int64(given)
    }
    return filled
  }

  private func readSome(into target: UnsafeMutableRawPointer, count: Int) throws(ConnectorError) -> Int {
    let wanted = min(count, Int(sizeBytes - offset))
    if wanted <= 0 { return 0 }
    let given = try readRaw(into: target, count: wanted, at: offset)
    if given == 0 {
      throw ConnectorError(
        "\(place): \(path): became shorter while it was read (\(sizeBytes) bytes, now \(offset)) — don't change files under a running job; restore the file and start again"
      )
    }
    return given
  }

  private func readRaw(into target: UnsafeMutableRawPointer, count: Int, at offset: Int64) throws(ConnectorError) -> Int
  {
    let descriptor = descriptor
    let given = retryingInterrupts { pread(descriptor, target, count, off_t(offset)) }
    if given < 0 { throw .system(errno, place: place, path: path, cannot: "read at byte \(offset)") }
    return given
  }

  /// Goes on to byte `target`, which is not before `offset`.
  func skip(to target: Int64) throws(ConnectorError) {
    if target <= sizeBytes { return offset = target }
    let scratch = Memory(capacityBytes: 1 << 18)
    while offset < target {
      let given = try read(into: scratch.base, count: min(scratch.capacityBytes, Int(target - offset)))
      if given == 0 { break }
    }
    if offset < target {
      throw ConnectorError(
        "\(place): \(path): has \(offset) bytes, fewer than the \(target) already read of it — restore the file, or start the job anew (--from none)"
      )
    }
  }
}
