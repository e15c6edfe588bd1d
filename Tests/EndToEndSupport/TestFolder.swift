import Foundation

/// A folder of a test's own, removed with it.
package final class TestFolder {
  package let url: URL

  package init() throws {
    url = FileManager.default.temporaryDirectory.appendingPathComponent("weir-test-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  package var path: String { url.path }

  @discardableResult
  package func write(_ name: String, _ text: String) throws -> String { try write(name, Data(text.utf8)) }

  @discardableResult
  package func write(_ name: String, _ data: Data) throws -> String {
    let file = url.appendingPathComponent(name)
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try data.write(to: file)
    return file.path
  }

  /// Paths below the folder, sorted.
  package var contents: [String] {
    let all = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String } ?? []
    return all.sorted()
  }

  /// What the files of one folder hold, by name.
  package func filesWithContents(in folder: String) throws -> [String: Data] {
    let base = url.appendingPathComponent(folder)
    return try Dictionary(
      uniqueKeysWithValues: FileManager.default.contentsOfDirectory(atPath: base.path).map { name in
        (name, try Data(contentsOf: base.appendingPathComponent(name)))
      })
  }

  /// Paths below the folder but for the job's checkpoints, sorted.
  package var withoutCheckpoints: [String] { contents.filter { !$0.hasPrefix("checkpoints") } }

  /// All lines of the visible files in a sink's folder, sorted.
  package func rows(in folder: String) -> [String] {
    let base = url.appendingPathComponent(folder)
    let files = FileManager.default.enumerator(atPath: base.path)?.compactMap { $0 as? String } ?? []
    return files.filter { $0.hasSuffix(".json") && !$0.hasPrefix(".") }.flatMap { file -> [String] in
      (try? Data(contentsOf: base.appendingPathComponent(file))).map(TestFolder.lines) ?? []
    }.sorted()
  }

  /// The lines that are not empty; by `memchr`, as these files can be large and tests are built without optimization.
  private static func lines(_ data: Data) -> [String] {
    data.withUnsafeBytes { bytes in
      var lines: [String] = []
      var rest = bytes[...]
      while let start = rest.isEmpty ? nil : bytes.baseAddress?.advanced(by: rest.startIndex) {
        let length = memchr(start, 0x0A, rest.count).map { start.distance(to: UnsafeRawPointer($0)) } ?? rest.count
        if length > 0 { lines.append(String(decoding: rest.prefix(length), as: UTF8.self)) }
        rest = rest.dropFirst(length + 1)
      }
      return lines
    }
  }

  /// Copies a tree, sockets and all.
  package static func copy(_ source: String, to target: String) throws {
    let copy = Process()
    copy.executableURL = URL(fileURLWithPath: "/bin/cp")
    copy.arguments = ["-a", source, target]
    try copy.run()
    copy.waitUntilExit()
    guard copy.terminationStatus == 0 else { throw CannotCopy(source: source) }
  }

  struct CannotCopy: Error { let source: String }
}
