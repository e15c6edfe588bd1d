import Formats
import Glibc
import StreamModel

/// The bytes of one open file, in order, decompressed where its name ends in `.gz` or `.zst`.
///
/// Offsets are in decompressed bytes. What is appended to the file after it was opened is not read. One caller at a time.
final class FileBytes {
  private let file: OpenFile
  private let inflation: FileInflation?
  /// How many (decompressed) bytes have been read.
  private(set) var offset: Int64 = 0

  init(path: String, place: String) throws(ConnectorError) {
    file = try OpenFile(path: path, place: place)
    inflation = FileInflation(file)
  }

  /// What keeps the rest of a compressed file from being read, once that place has been reached; there is nothing behind it.
  var damage: String? { inflation?.damage }

  /// How many bytes are left to read, where that is known: in a file that is not compressed.
  var remainingBytes: Int? { inflation == nil ? Int(file.sizeBytes - offset) : nil }

  /// Reads `count` bytes to `target`; fewer only at the end of the file.
  func read(into target: UnsafeMutableRawPointer, count: Int) throws(ConnectorError) -> Int {
    var filled = 0
    while filled < count {
      let room = UnsafeMutableRawBufferPointer(start: target + filled, count: count - filled)
      let given =
        if let inflation { try inflation.read(into: room) } else { try file.read(into: room, at: offset) }
      if given == 0 { break }
      filled += given
      offset += Int64(given)
    }
    return filled
  }

  /// Goes on to byte `target`, which is not before `offset`. The damage of a file counts as one byte.
  func skip(to target: Int64) throws(ConnectorError) {
    if inflation == nil, target <= file.sizeBytes { return offset = target }
    let scratch = Memory(capacityBytes: 1 << 18)
    while offset < target {
      let given = try read(into: scratch.base, count: min(scratch.capacityBytes, Int(target - offset)))
      if given == 0 { break }
    }
    if offset < target, damage == nil || offset < target - 1 {
      throw file.error(
        "has \(offset) bytes, fewer than the \(target) already read of it — restore the file, or start the job anew (--from none)"
      )
    }
  }
}

/// A file opened for reading, and its size then. One caller at a time.
final class OpenFile {
  let path: String
  private let place: String
  private let descriptor: Int32
  let sizeBytes: Int64

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
    if sizeBytes >= OpenFile.readaheadBytes { _ = posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL) }
  }

  deinit { Glibc.close(descriptor) }

  /// Reads some of the bytes from `offset`; 0 only at the end, or where there is no room.
  func read(into target: UnsafeMutableRawBufferPointer, at offset: Int64) throws(ConnectorError) -> Int {
    let wanted = min(target.count, Int(sizeBytes - offset))
    if wanted <= 0 { return 0 }
    let given = retryingInterrupts { pread(descriptor, target.baseAddress, wanted, off_t(offset)) }
    if given < 0 { throw .system(errno, place: place, path: path, cannot: "read at byte \(offset)") }
    if given == 0 {
      throw error(
        "became shorter while it was read (\(sizeBytes) bytes, now \(offset)) — don't change files under a running job; restore the file and start again"
      )
    }
    return given
  }

  /// An error about this file: what is wrong and how to mend it.
  func error(_ text: String) -> ConnectorError { ConnectorError("\(place): \(path): \(text)") }
}
