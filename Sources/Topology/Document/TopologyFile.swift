import Glibc

/// Reads topology files and resolves the paths in them.
enum TopologyFile {
  /// A topology is written by hand; anything larger is a mistake.
  static let maxSizeBytes = 1 << 20

  enum Outcome {
    case text(String)
    /// What is wrong, how to mend it, and the byte at which it is.
    case unreadable(message: String, mend: String, bytesBefore: [UInt8])
  }

  static func read(_ path: String) -> Outcome {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return failure("cannot be opened: \(reason())", "check the path and its permissions") }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &chunk, chunk.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { return failure("cannot be read: \(reason())", "name a topology file") }
      if count == 0 { return decode(bytes) }
      bytes.append(contentsOf: chunk[..<count])
      if bytes.count > maxSizeBytes {
        return failure("is larger than \(maxSizeBytes >> 20) MB", "name a topology file; data belongs in sources")
      }
    }
  }

  private static func failure(_ message: String, _ mend: String) -> Outcome {
    .unreadable(message: message, mend: mend, bytesBefore: [])
  }

  private static func reason() -> String { String(cString: strerror(errno)) }

  /// The bytes as text, without a byte-order mark.
  static func decode(_ bytes: [UInt8]) -> Outcome {
    let content = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes[3...] : bytes[...]
    if let text = String(validating: content, as: UTF8.self) { return .text(text) }
    let valid = validPrefix(content)
    return .unreadable(
      message: "is no UTF-8 text from here on", mend: "save the file as UTF-8", bytesBefore: Array(content[..<valid]))
  }

  /// The end of the whole characters that `bytes` begin with.
  private static func validPrefix(_ bytes: ArraySlice<UInt8>) -> Int {
    var end = bytes.startIndex
    var parser = Unicode.UTF8.ForwardParser()
    var iterator = bytes.makeIterator()
    while case .valid(let encoded) = parser.parseScalar(from: &iterator) { end += encoded.count }
    return end
  }

  /// `path` as an absolute path without `.` and `..`; a relative one is relative to `base`.
  static func absolute(_ path: String, relativeTo base: String) -> String {
    var parts: [Substring] = path.hasPrefix("/") ? [] : base.split(separator: "/")
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return "/" + parts.joined(separator: "/")
  }

  static func currentDirectory() -> String {
    guard let path = getcwd(nil, 0) else { return "/" }
    defer { free(path) }
    return String(cString: path)
  }

  /// The directory part of an absolute path.
  static func directory(of path: String) -> String {
    let parts = path.split(separator: "/").dropLast()
    return "/" + parts.joined(separator: "/")
  }
}
