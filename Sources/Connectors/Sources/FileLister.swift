import Glibc

/// Finds the files that a source's path means, in the order of their names.
///
/// A path is a file, a directory (every file in it, recursively) or a glob (`*`, `?`, `[…]` within a name, `**` for any
/// number of directories). Within directories, and where a wildcard stands first in a name, names that begin with `.` or
/// `_` are skipped: what other programs write before it is finished, and their markers. Names are compared byte by byte,
/// directory by directory.
struct FileLister {
  /// Where the path is written, for messages: `sources.usage.path`.
  let place: String

  /// The files `path` means; not empty.
  func files(at path: String) throws(ConnectorError) -> [String] {
    var found: [String] = []
    if let kind = try kind(of: path, mayBeAbsent: isPattern(path)) {
      try collect(path, kind, inside: [], into: &found)
    } else {
      found = try matches(of: path)
    }
    if found.isEmpty {
      throw ConnectorError(
        "\(place): \(path): there is no file to read — check the path; in a directory, names that begin with . or _ are skipped"
      )
    }
    for file in found where faccessat(AT_FDCWD, file, R_OK, AT_EACCESS) != 0 {
      throw .system(errno, place: place, path: file, cannot: "read")
    }
    return found
  }

  private func isPattern(_ text: String) -> Bool {
    text.utf8.contains { $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: "?") || $0 == UInt8(ascii: "[") }
  }

  // MARK: - Directories

  /// What is at a path, symbolic links followed.
  enum Kind: Equatable {
    case file
    case directory(device: UInt, inode: UInt)
  }

  private func kind(of path: String, mayBeAbsent: Bool = false) throws(ConnectorError) -> Kind? {
    var status = stat()
    guard stat(path, &status) == 0 else {
      if mayBeAbsent && (errno == ENOENT || errno == ENOTDIR) { return nil }
      throw .system(errno, place: place, path: path, cannot: "find")
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: return .file
    case S_IFDIR: return .directory(device: UInt(status.st_dev), inode: UInt(status.st_ino))
    default:
      throw ConnectorError(
        "\(place): \(path): is neither a file nor a directory — copy what it gives into a file, or move it away")
    }
  }

  private func collect(
    _ path: String, _ kind: Kind, inside ancestors: [Kind], into found: inout [String]
  ) throws(ConnectorError) {
    guard case .directory = kind else { return found.append(path) }
    if ancestors.contains(kind) {
      throw ConnectorError("\(place): \(path): is a symbolic link to a directory around it — remove the link")
    }
    for entry in try entries(of: path) where !isSkipped(entry.name) {
      let entryPath = join(path, entry.name)
      if entry.isFile {
        found.append(entryPath)
      } else if let entryKind = try self.kind(of: entryPath) {
        try collect(entryPath, entryKind, inside: ancestors + [kind], into: &found)
      }
    }
  }

  private func isSkipped(_ name: String) -> Bool {
    name.utf8.first == UInt8(ascii: ".") || name.utf8.first == UInt8(ascii: "_")
  }

  private func join(_ directory: String, _ name: String) -> String {
    directory.utf8.last == UInt8(ascii: "/") ? directory + name : "\(directory)/\(name)"
  }

  private struct Entry {
    let name: String
    /// Certainly a plain file; otherwise it must be looked at.
    let isFile: Bool
  }

  /// The entries of a directory but `.` and `..`, by name.
  private func entries(of directory: String) throws(ConnectorError) -> [Entry] {
    guard let stream = opendir(directory) else {
      throw .system(errno, place: place, path: directory, cannot: "list")
    }
    defer { closedir(stream) }
    var entries: [Entry] = []
    errno = 0
    while let entry = readdir(stream) {
      guard let name = String(validatingCString: nameBytes(of: entry)) else {
        throw ConnectorError("\(place): \(directory): holds a file whose name is not UTF-8 — rename it")
      }
      if name != "." && name != ".." {
        entries.append(Entry(name: name, isFile: Int(entry.pointee.d_type) == Int(DT_REG)))
      }
    }
    if errno != 0 { throw .system(errno, place: place, path: directory, cannot: "list") }
    entries.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    return entries
  }

  // MARK: - Globs

  private func matches(of pattern: String) throws(ConnectorError) -> [String] {
    var found: [String] = []
    let components = pattern.split(separator: "/").map { String($0) }
    try expand(pattern.hasPrefix("/") ? "/" : ".", components[...], into: &found)
    if components.contains("**") {
      var seen: Set<String> = []
      found = found.filter { seen.insert($0).inserted }.sorted(by: FileLister.precedes)
    }
    return found
  }

  private func expand(
    _ base: String, _ components: ArraySlice<String>, into found: inout [String]
  ) throws(ConnectorError) {
    guard let component = components.first else {
      if let kind = try kind(of: base) { try collect(base, kind, inside: [], into: &found) }
      return
    }
    let rest = components.dropFirst()
    if component == "**" {
      try expand(base, rest, into: &found)
      for name in try names(in: base, matching: "*", onlyDirectories: true) {
        try expand(join(base, name), components, into: &found)
      }
    } else if isPattern(component) {
      for name in try names(in: base, matching: component, onlyDirectories: !rest.isEmpty) {
        try expand(join(base, name), rest, into: &found)
      }
    } else if try kind(of: join(base, component), mayBeAbsent: true) != nil {
      try expand(join(base, component), rest, into: &found)
    }
  }

  private func names(
    in directory: String, matching pattern: String, onlyDirectories: Bool
  ) throws(ConnectorError) -> [String] {
    let takesMarkers = pattern.utf8.first == UInt8(ascii: "_")
    var names: [String] = []
    for entry in try entries(of: directory) where fnmatch(pattern, entry.name, FNM_PERIOD) == 0 {
      if entry.name.utf8.first == UInt8(ascii: "_") && !takesMarkers { continue }
      if onlyDirectories {
        if entry.isFile { continue }
        guard case .directory? = try kind(of: join(directory, entry.name)) else { continue }
      }
      names.append(entry.name)
    }
    return names
  }

  /// The order of paths: byte by byte, directory by directory (`a/x` before `a-b/x`).
  static func precedes(_ left: String, _ right: String) -> Bool {
    let slash = UInt8(ascii: "/")
    return left.utf8.lexicographicallyPrecedes(right.utf8) { ($0 == slash ? 0 : $0) < ($1 == slash ? 0 : $1) }
  }
}
