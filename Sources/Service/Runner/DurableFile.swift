import Glibc

/// Files that are whole or as they were before, also after a crash: written beside, made durable, renamed.
enum DurableFile {
  struct Failure: Error, CustomStringConvertible {
    let description: String
    init(_ path: String, _ what: String) { description = "\(path): \(what): \(String(cString: strerror(errno)))" }
  }

  static func write(_ bytes: [UInt8], to path: String, mode: mode_t = 0o644) throws(Failure) {
    let hidden = path + ".new"
    let file = open(hidden, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode)
    guard file >= 0 else { throw Failure(hidden, "cannot be written") }
    defer { close(file) }
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw Failure(hidden, "cannot be written") }
      rest = rest.dropFirst(count)
    }
    guard fsync(file) == 0 else { throw Failure(hidden, "cannot be made durable") }
    guard rename(hidden, path) == 0 else { throw Failure(path, "cannot be replaced") }
    try synchronize(String(path[..<(path.lastIndex(of: "/") ?? path.startIndex)]))
  }

  static func synchronize(_ folder: String) throws(Failure) {
    let handle = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard handle >= 0 else { throw Failure(folder, "cannot be opened") }
    defer { close(handle) }
    guard fsync(handle) == 0 else { throw Failure(folder, "cannot be made durable") }
  }

  /// Nil where there is none.
  static func read(_ path: String) throws(Failure) -> [UInt8]? {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    if file < 0 && errno == ENOENT { return nil }
    guard file >= 0 else { throw Failure(path, "cannot be read") }
    defer { close(file) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = buffer.withUnsafeMutableBytes { Glibc.read(file, $0.baseAddress, $0.count) }
      if count < 0 && errno == EINTR { continue }
      guard count >= 0 else { throw Failure(path, "cannot be read") }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
    }
  }

  static func makeFolders(_ path: String) throws(Failure) {
    var made = path.hasPrefix("/") ? "" : "."
    for part in path.split(separator: "/") {
      made += "/" + part
      if mkdir(made, 0o755) != 0 && errno != EEXIST { throw Failure(made, "cannot be made") }
    }
  }

  static func names(in folder: String) -> [String] {
    guard let stream = opendir(folder) else { return [] }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    return names.sorted()
  }
}
