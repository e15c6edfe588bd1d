import Foundation
import Testing

/// The repository's own rules, checked on its files.
struct StyleTests {
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent()

  struct SourceFile {
    let path: String
    let module: String
    let lines: [String]
  }

  static func swiftFiles(in folder: String) -> [SourceFile] {
    let base = root.appendingPathComponent(folder)
    guard let paths = FileManager.default.enumerator(atPath: base.path) else { return [] }
    return paths.compactMap { entry in
      guard let path = entry as? String, path.hasSuffix(".swift"),
        let text = try? String(contentsOf: base.appendingPathComponent(path), encoding: .utf8)
      else { return nil }
      return SourceFile(
        path: "\(folder)/\(path)", module: String(path.split(separator: "/")[0]),
        lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }
  }

  /// Modules in the order of the table in docs/ARCHITECTURE.md, with what each may import of ours and of others.
  static let allowedImports: [String: Set<String>] = [
    "StreamModel": ["Glibc", "Synchronization"],
    "Expressions": ["StreamModel", "Glibc", "Synchronization"],
    "KafkaClient": ["CRdKafka", "Glibc", "Synchronization"],
    "HTTPClient": ["CCurl", "StreamModel", "Synchronization"],
    "Formats": [
      "CSimdJSON", "CCompression", "HTTPClient", "StreamModel", "Glibc", "Synchronization", "Foundation",
    ],
    "RocksStore": ["CRocksDB", "StreamModel", "Glibc"],
    "PostgresClient": ["CPostgres"],
    "State": ["StreamModel", "RocksStore", "Glibc", "Synchronization"],
    "Operators": ["StreamModel", "Expressions", "State", "Glibc", "Synchronization"],
    "Views": ["StreamModel", "Formats", "State", "Operators", "Glibc", "Synchronization"],
    "Checkpoint": ["StreamModel", "State", "Glibc", "Synchronization"],
    "weir-bench": ["KafkaClient", "Formats", "Glibc", "Synchronization"],
    "Connectors": [
      "StreamModel", "Expressions", "HTTPClient", "Formats", "PostgresClient", "KafkaClient", "Operators", "Glibc",
      "Synchronization", "Foundation",
    ],
    "Topology": [
      "StreamModel", "Expressions", "KafkaClient", "Formats", "Operators", "Connectors", "Yams", "Glibc",
    ],
    "Runtime": [
      "StreamModel", "Expressions", "KafkaClient", "Formats", "State", "Operators", "Views", "Checkpoint", "Connectors",
      "Topology", "Synchronization", "Glibc",
    ],
    "Service": [
      "StreamModel", "HTTPClient", "Formats", "Operators", "Views", "Checkpoint", "Connectors", "Topology", "Runtime",
      "Synchronization", "Glibc", "Foundation", "Crypto", "HTTPTypes", "Hummingbird",
      "HummingbirdCore", "HummingbirdTLS", "JWTKit", "Logging", "NIOCore", "NIOHTTP1", "NIOPosix", "NIOSSL",
      "ServiceLifecycle",
    ],
    "weir": [
      "CGlibc", "StreamModel", "Formats", "Operators", "Checkpoint", "Connectors", "Topology", "Runtime", "Service",
      "ArgumentParser", "Logging", "Synchronization", "Foundation", "Glibc",
    ],
    "TestSupport": ["StreamModel", "Expressions", "State", "Operators", "Synchronization", "Glibc"],
  ]

  @Test func everyImportIsInTheTable() {
    let files = StyleTests.swiftFiles(in: "Sources")
    #expect(files.count > 30)
    for file in files {
      let allowed = StyleTests.allowedImports[file.module]
      #expect(allowed != nil, "\(file.path): module \(file.module) is not in the table")
      for line in file.lines {
        let words = line.split(separator: " ")
        guard let position = words.firstIndex(of: "import"), position <= 1, words.count > position + 1,
          position == 0 || words[0].hasPrefix("@")
        else { continue }
        let module = String(words.last ?? "")
        #expect(allowed?.contains(module) == true, "\(file.path): \(file.module) may not import \(module)")
      }
    }
  }

  /// What no source file may hold, and why.
  static let bans: [(pattern: String, reason: String)] = [
    (#"\bTask\.detached\b"#, "unstructured concurrency"),
    (#"(^|[^A-Za-z.])Task( *\(.*\))? *\{"#, "unstructured concurrency"),
    (#"\btry!"#, "traps instead of throwing"),
    (#"\bas!"#, "traps instead of failing"),
    (#"\b(TODO|FIXME|XXX|HACK)\b"#, "unfinished work"),
    (#"\bclass \w*(Manager|Helper|Utils|Impl)\b"#, "a name that says nothing"),
    (#"(struct|enum|protocol) \w*(Manager|Helper|Utils|Impl)\b"#, "a name that says nothing"),
    (#"nonisolated\(unsafe\)"#, "unchecked sharing"),
  ]

  @Test func noSourceHoldsABannedConstruct() throws {
    for (pattern, reason) in StyleTests.bans {
      let expression = try Regex(pattern)
      for file in StyleTests.swiftFiles(in: "Sources") {
        for (number, line) in file.lines.enumerated() where line.firstMatch(of: expression) != nil {
          Issue.record("\(file.path):\(number + 1): \(reason): \(line.trimmingCharacters(in: .whitespaces))")
        }
      }
    }
  }

  @Test func everyUncheckedSendableStatesItsInvariant() {
    for file in StyleTests.swiftFiles(in: "Sources") {
      for (number, line) in file.lines.enumerated() where line.contains("@unchecked Sendable") {
        let around = file.lines[max(0, number - 14)..<min(file.lines.count, number + 4)].joined(separator: "\n")
        #expect(around.contains("Invariant for `Sendable`"), "\(file.path):\(number + 1): say why it is safe")
      }
    }
  }

  /// The crash points that a test's file lists.
  private static func crashPoints(_ name: String) throws -> [String] {
    let file = try #require(swiftFiles(in: "Tests").first { $0.path.hasSuffix("/\(name)") })
    let start = try #require(file.lines.firstIndex { $0.contains("static let crashPoints") })
    return file.lines[start...].prefix { !$0.hasSuffix("]") || $0.contains("= [") }
      .flatMap { $0.matches(of: /"([a-z-]+)"/).map { String($0.output.1) } }
  }

  /// A crash point that no test dies at holds nothing.
  @Test func everyCrashPointIsOneTheKillTestsKnow() throws {
    let reached = StyleTests.swiftFiles(in: "Sources").flatMap(\.lines)
      .filter { $0.contains("CrashPoint.reached") }.flatMap {
        $0.matches(of: /CrashPoint\.reached(?:Soon)?\("([a-z-]+)"\)/).map { String($0.output.1) }
      }
    let listed = try ["KillScenario.swift", "ExactlyOnceTests.swift"].flatMap(StyleTests.crashPoints)
    #expect(Set(reached) == Set(listed))
    #expect(reached.count == Set(reached).count, "a crash point has one place")
  }

  @Test func testsDoNotSleep() throws {
    let expression = try Regex(#"Task\.sleep|usleep\(|Thread\.sleep|\bsleep\("#)
    for file in StyleTests.swiftFiles(in: "Tests") where !file.path.hasSuffix("StyleTests.swift") {
      for (number, line) in file.lines.enumerated() where line.firstMatch(of: expression) != nil {
        Issue.record("\(file.path):\(number + 1): wait for a fact instead")
      }
    }
  }

  @Test func filesStaySmallEnoughToRead() {
    for file in StyleTests.swiftFiles(in: "Sources") {
      #expect(file.lines.count <= 500, "\(file.path) has \(file.lines.count) lines: one idea or two?")
    }
  }

  @Test func everySourceFileBeginsItsTypesWithADocComment() {
    for file in StyleTests.swiftFiles(in: "Sources") {
      let hasDoc = file.lines.contains { $0.trimmingCharacters(in: .whitespaces).hasPrefix("///") }
      #expect(hasDoc, "\(file.path) says nothing of what it holds")
    }
  }

  @Test func noFileNamesThisMachineOrARegistry() throws {
    let expression = try Regex(#"/(root|home)/[a-z]|deb\.debian\.org|pypi\.org|files\.pythonhosted"#)
    for folder in ["Sources", "Tests", "docs", "scripts", "topologies"] {
      for file in try StyleTests.textFiles(in: folder) where !file.path.hasSuffix("StyleTests.swift") {
        for (number, line) in file.lines.enumerated() where line.firstMatch(of: expression) != nil {
          Issue.record("\(file.path):\(number + 1): \(line)")
        }
      }
    }
  }

  static func textFiles(in folder: String) throws -> [SourceFile] {
    let base = root.appendingPathComponent(folder)
    guard let paths = FileManager.default.enumerator(atPath: base.path) else { return [] }
    return paths.compactMap { entry in
      guard let path = entry as? String,
        let text = try? String(contentsOf: base.appendingPathComponent(path), encoding: .utf8)
      else { return nil }
      return SourceFile(
        path: "\(folder)/\(path)", module: folder,
        lines: text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init))
    }
  }
}
