import Glibc
import StreamModel

/// A directory that an output goes to.
struct OutputDirectory {
  let path: String
  let place: String

  /// Makes the directory and those above it, where they are not there, and checks that files can be made in it.
  func create() throws(ConnectorError) {
    var status = stat()
    if stat(path, &status) != 0 {
      try createMissing()
    } else if status.st_mode & S_IFMT != S_IFDIR {
      throw .system(ENOTDIR, place: place, path: path, cannot: "write into it")
    }
    if faccessat(AT_FDCWD, path, W_OK | X_OK, AT_EACCESS) != 0 {
      throw .system(errno, place: place, path: path, cannot: "write into it")
    }
  }

  private func createMissing() throws(ConnectorError) {
    if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex {
      let parent = String(path[..<slash])
      if access(parent, F_OK) != 0 { try OutputDirectory(path: parent, place: place).createMissing() }
    }
    if mkdir(path, 0o755) != 0 && errno != EEXIST {
      throw .system(errno, place: place, path: path, cannot: "make the directory")
    }
  }

  /// Makes the names in the directory durable.
  func sync() throws(ConnectorError) {
    let descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else { throw .system(errno, place: place, path: path, cannot: "open") }
    defer { Glibc.close(descriptor) }
    if FaultPoint.fails("sink-directory-sync") || retryingInterrupts({ Int(fsync(descriptor)) }) < 0 {
      throw .system(errno, place: place, path: path, cannot: "make durable (fsync)")
    }
  }

  /// The names in the directory that begin with `prefix`.
  func names(beginningWith prefix: String) throws(ConnectorError) -> [String] {
    guard let stream = opendir(path) else { throw .system(errno, place: place, path: path, cannot: "list") }
    defer { closedir(stream) }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = String(cString: nameBytes(of: entry))
      if name.hasPrefix(prefix) { names.append(name) }
    }
    return names
  }
}

/// The name in a directory entry: NUL-terminated, valid until the next `readdir`.
func nameBytes(of entry: UnsafeMutablePointer<dirent>) -> UnsafePointer<CChar> {
  let offset = MemoryLayout<dirent>.offset(of: \.d_name) ?? 0
  return (UnsafeRawPointer(entry) + offset).assumingMemoryBound(to: CChar.self)
}
