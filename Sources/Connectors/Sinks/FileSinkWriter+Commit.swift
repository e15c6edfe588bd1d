import Glibc
import StreamModel

extension FileSinkWriter {
  /// Gives pending parts their final names, durably. Those that have them already are left alone, so that it can be repeated
  /// after a crash at any point.
  package static func commit(_ parts: [PendingPart], place: String) throws(ConnectorError) {
    var directories: Set<String> = []
    for part in parts {
      try publish(part, place: place)
      let slash = part.finalPath.utf8.lastIndex(of: UInt8(ascii: "/")) ?? part.finalPath.startIndex
      directories.insert(String(part.finalPath[..<slash]))
    }
    CrashPoint.reached("parts-renamed")
    for path in directories { try OutputDirectory(path: path, place: place).sync() }
  }

  /// A link and an unlink rather than a rename, because a rename would replace a file of that name.
  private static func publish(_ part: PendingPart, place: String) throws(ConnectorError) {
    if !FaultPoint.fails("part-link"), link(part.pendingPath, part.finalPath) == 0 {
      CrashPoint.reached("part-linked")
      unlink(part.pendingPath)
      return
    }
    switch errno {
    case EEXIST: try settle(part, place: place)
    case ENOENT where access(part.finalPath, F_OK) == 0: return
    case EPERM, ENOTSUP, EMLINK: try rename(part, place: place)
    case let code: throw failure(code, part, place: place)
    }
  }

  /// The final name is taken: by this very part (a crash came after the link, or after the unlink), or by another file.
  private static func settle(_ part: PendingPart, place: String) throws(ConnectorError) {
    var pending = stat()
    guard stat(part.pendingPath, &pending) == 0 else { return }
    var final = stat()
    guard stat(part.finalPath, &final) == 0 else { throw failure(errno, part, place: place) }
    guard pending.st_dev == final.st_dev, pending.st_ino == final.st_ino else {
      throw ConnectorError(
        "\(place): \(part.finalPath): another job has written a file of this name — give each job a directory of its own, move that file away and start again"
      )
    }
    unlink(part.pendingPath)
  }

  /// For file systems without hard links.
  private static func rename(_ part: PendingPart, place: String) throws(ConnectorError) {
    if Glibc.rename(part.pendingPath, part.finalPath) != 0 { throw failure(errno, part, place: place) }
  }

  private static func failure(_ code: Int32, _ part: PendingPart, place: String) -> ConnectorError {
    .system(code, place: place, path: part.pendingPath, cannot: "give it its final name \(part.finalPath)")
  }

  /// Removes what runs of `owner` that died left pending in directory `path`.
  package static func discardLeftovers(in path: String, owner: String, place: String) throws(ConnectorError) {
    guard access(path, F_OK) == 0 else { return }
    let names = try OutputDirectory(path: path, place: place).names(beginningWith: ".part-\(owner)-")
    for name in names where name.hasSuffix(".pending") { unlink("\(path)/\(name)") }
  }
}

extension PendingPart {
  /// Removes a part that will not be committed.
  package func discard() { unlink(pendingPath) }
}
