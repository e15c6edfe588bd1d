import Glibc
import StreamModel

/// The files of checkpoints: reading, writing and making durable, with errors that name the place.
package enum CheckpointFiles {
  static func error(_ path: String, _ what: String) -> CheckpointError {
    let code = errno
    return CheckpointError(
      "\(path): \(what): \(String(cString: strerror(code)))",
      isRetriable: [ENOSPC, EDQUOT, EMFILE, ENFILE, EIO, ESTALE, EBUSY, ENOMEM].contains(code))
  }

  static func exists(_ path: String) -> Bool { access(path, F_OK) == 0 }

  static func makeFolder(_ path: String) throws(CheckpointError) {
    if mkdir(path, 0o755) != 0 && errno != EEXIST { throw error(path, "cannot be made") }
  }

  /// The names in a folder, but `.` and `..`.
  package static func names(in directory: String) throws(CheckpointError) -> [String] {
    guard let stream = opendir(directory) else { throw error(directory, "cannot be read") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) {
        String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != "." && name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes a file, or a folder with all that is in it; what is not there is no fault.
  static func removeTree(_ path: String) {
    if unlink(path) == 0 { return }
    for name in (try? names(in: path)) ?? [] { removeTree(path + "/" + name) }
    rmdir(path)
  }

  /// Writes a file and makes it durable.
  static func write(_ path: String, _ bytes: [UInt8]) throws(CheckpointError) {
    let file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw error(path, "cannot be written") }
    defer { close(file) }
    try write(bytes[...], to: file, path)
    guard !FaultPoint.fails("checkpoint-sync"), fsync(file) == 0 else { throw error(path, "cannot be made durable") }
  }

  private static func write(_ bytes: ArraySlice<UInt8>, to file: Int32, _ path: String) throws(CheckpointError) {
    var rest = bytes
    while !rest.isEmpty {
      let isTorn = FaultPoint.fails("checkpoint-write")
      let code = errno
      let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, isTorn ? $0.count / 2 : $0.count) }
      if isTorn {
        errno = code
        throw error(path, "cannot be written")
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw error(path, "cannot be written") }
      rest = rest.dropFirst(count)
    }
  }

  /// Makes a file, or a folder's entries, durable.
  package static func synchronize(_ path: String) throws(CheckpointError) {
    let handle = open(path, O_RDONLY | O_CLOEXEC)
    guard handle >= 0 else { throw error(path, "cannot be opened") }
    defer { close(handle) }
    guard !FaultPoint.fails("checkpoint-folder-sync"), fsync(handle) == 0 else {
      throw error(path, "cannot be made durable")
    }
  }

  /// The content of a file.
  static func read(_ path: String) throws(CheckpointError) -> [UInt8] {
    var bytes: [UInt8] = []
    try readBlocks(path) { bytes.append(contentsOf: $0) }
    return bytes
  }

  /// The size of a file and a hash of its content, which finds damage, not tampering.
  package static func checksum(_ path: String) throws(CheckpointError) -> (sizeBytes: Int, checksum: UInt64) {
    var size = 0
    var sum: UInt64 = 0
    try readBlocks(path) { block in
      size += block.count
      sum = (sum &* 0x9E37_79B9_7F4A_7C15) ^ (sum >> 29) ^ KeyEncoder.hash(block)
    }
    return (size, sum)
  }

  /// Reads a file in blocks of 1 MiB, all but the last of them full.
  private static func readBlocks(
    _ path: String, _ body: (UnsafeRawBufferPointer) -> Void
  ) throws(CheckpointError) {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { throw error(path, "cannot be read") }
    defer { close(file) }
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 16)
    defer { buffer.deallocate() }
    var isAtEnd = false
    while !isAtEnd {
      var filled = 0
      while filled < buffer.count {
        let count = Glibc.read(file, buffer.baseAddress.map { $0 + filled }, buffer.count - filled)
        if count < 0 && errno == EINTR { continue }
        guard count >= 0 else { throw error(path, "cannot be read") }
        if count == 0 { break }
        filled += count
      }
      isAtEnd = filled < buffer.count
      if filled > 0 { body(UnsafeRawBufferPointer(rebasing: buffer[..<filled])) }
    }
  }

  /// Makes `target` the same as `source`: another name for it, or, where there can be none, a copy.
  static func duplicate(_ source: String, to target: String, byLink: Bool) throws(CheckpointError) {
    if byLink {
      if link(source, target) == 0 { return }
      guard errno == EXDEV || errno == EPERM || errno == EMLINK else { throw error(target, "cannot be linked") }
    }
    let file = open(target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw error(target, "cannot be written") }
    defer { close(file) }
    var failure: CheckpointError?
    try readBlocks(source) { block in
      guard failure == nil else { return }
      do throws(CheckpointError) { try write([UInt8](block)[...], to: file, target) } catch { failure = error }
    }
    if let failure { throw failure }
  }
}
