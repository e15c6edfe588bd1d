import Connectors
import Glibc
import Operators
import Testing

@testable import Topology

/// Path of a file in the repository.
func repositoryPath(_ path: String, file: String = #filePath) -> String {
  file.split(separator: "/").dropLast(3).reduce("") { "\($0)/\($1)" } + "/" + path
}

/// The text of a topology that Weir comes with.
func bundledTopology(_ name: String) -> String {
  guard case .text(let text) = TopologyFile.read(repositoryPath("topologies/\(name).yaml")) else {
    Issue.record("there is no topology \(name)")
    return ""
  }
  return text
}

@Suite struct FileTests {
  /// Runs `body` in an empty directory, gives what is in it afterwards, and removes it.
  private func entries(after body: (String) -> Void) -> [String] {
    var template = Array("/tmp/weir-topology-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { return ["mkdtemp failed"] }
    let directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    body(directory)
    guard let stream = opendir(directory) else { return ["opendir failed"] }
    var names: [String] = []
    while let entry = readdir(stream) {
      let name = withUnsafeBytes(of: entry.pointee.d_name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      if name != "." && name != ".." { names.append(name) }
    }
    closedir(stream)
    for name in names { unlink("\(directory)/\(name)") }
    rmdir(directory)
    return names.sorted()
  }

  private func write(_ text: [UInt8], to path: String) {
    let descriptor = open(path, O_CREAT | O_WRONLY | O_EXCL, 0o600)
    _ = Glibc.write(descriptor, text, text.count)
    close(descriptor)
  }

  private func loadFaults(_ path: String) -> [Fault] {
    do throws(TopologyError) {
      _ = try TopologyLoader.load(file: path, overrides: [], environment: [:])
      return []
    } catch {
      return error.faults
    }
  }

  @Test func loading_createsNothing() {
    let text =
      valid.replacing("../", with: "")
      + "checkpoint: {directory: checkpoints}\ndead_letters: {connector: file, path: dead}\n"
    let names = entries { directory in
      write(Array(text.utf8), to: "\(directory)/t.yaml")
      #expect(loadFaults("\(directory)/t.yaml") == [])
      #expect(loadFaults("\(directory)/missing/t.yaml").count == 1)
    }
    #expect(names == ["t.yaml"])
  }

  @Test func aByteOrderMarkAndWindowsLineEnds_areNoFault() {
    let names = entries { directory in
      let text = valid.replacing("\n", with: "\r\n")
      write([0xEF, 0xBB, 0xBF] + Array(text.utf8), to: "\(directory)/t.yaml")
      #expect(loadFaults("\(directory)/t.yaml") == [])
    }
    #expect(names == ["t.yaml"])
  }

  @Test func whatCannotBeRead_isOneFault() {
    _ = entries { directory in
      write(Array("weir: 1\ntopology: \u{e9}".utf8) + [0xE9, 0x0A], to: "\(directory)/latin.yaml")
      write([UInt8](repeating: UInt8(ascii: "#"), count: TopologyFile.maxSizeBytes + 1), to: "\(directory)/large.yaml")
      func texts(_ name: String) -> [String] {
        loadFaults("\(directory)/\(name)").map { "\($0)".replacing(directory, with: "D") }
      }
      #expect(
        texts("none.yaml") == [
          "D/none.yaml:1:1: cannot be opened: No such file or directory — check the path and its permissions"
        ])
      #expect(texts("") == ["D/:1:1: cannot be read: Is a directory — name a topology file"])
      #expect(texts("latin.yaml") == ["D/latin.yaml:2:12: is no UTF-8 text from here on — save the file as UTF-8"])
      #expect(
        texts("large.yaml") == ["D/large.yaml:1:1: is larger than 1 MB — name a topology file; data belongs in sources"]
      )
    }
  }

  @Test func documentsBeyondTheBounds_areRefusedQuickly() {
    let nested = String(repeating: "[", count: 40) + String(repeating: "]", count: 40)
    expect(
      text: "weir: \(nested)\n",
      [
        "1:1: sinks: nothing is written — add a sink: sinks: {out: {from: STEP, connector: console}}",
        "1:1: sources: there is nothing to read — add a source: sources: {usage: {connector: generator}}",
        "1:1: topology: is missing — write its name: topology: usage-aggregation",
        "1:7: weir: is a list — write the version of the language: 1",
        "1:39: weir\(String(repeating: "[0]", count: 32)): is nested more than 32 levels deep — write it with less nesting",
      ])
    expect(
      text: String(repeating: "[", count: 100_000), ["1:1: is nested too deeply — write it with less nesting"])
    let bomb = (0..<12).map {
      "a\($0): &a\($0) [\(String(repeating: "*a\(max(0, $0 - 1)),", count: $0 == 0 ? 0 : 9))x]"
    }
    expect(
      text: bomb.joined(separator: "\n"), ["5:30: has more than 32 aliases (`*name`) — write the values out"])
    let wide = "weir: [" + String(repeating: "1,", count: 200_000) + "]\n"
    #expect(
      faults(wide).contains { $0.hasSuffix("has more than 100000 values — use fewer aliases, or split the topology") })
  }

  @Test func anchorsAndAliasesShareValues() throws {
    let text = """
      weir: 1
      topology: t
      sources:
        a: {connector: file, path: /a, schema: &usage {id: string not null, n: int64}}
        b: {connector: file, path: /b, schema: *usage}
      sinks: {o: {from: [a, b], connector: blackhole}}

      """
    let plan = try load(text)
    #expect(plan.sources[0].outputSchema == plan.sources[1].outputSchema)
  }
}

/// The topology that Weir comes with.
@Suite struct BundledTopologyTests {
  private func plan(_ overrides: [String] = []) throws -> LogicalPlan {
    try TopologyLoader.load(
      file: repositoryPath("topologies/usage-aggregation.yaml"), overrides: overrides, environment: [:])
  }

  @Test func usageAggregation_givesHoursSessionsAndCycles() throws {
    let plan = try plan()
    #expect(plan.notes.isEmpty)
    #expect(plan.sinks.map(\.name) == ["hourly", "sessions", "cycles", "rejected", "late"])
    #expect(
      plan.sinks.map { $0.schema.description.split(separator: ", ").prefix(6).joined(separator: ", ") } == [
        "account_id string not null, service string, window_start timestamp not null, window_end timestamp not null, records int64 not null, quantity decimal(38,3)",
        "account_id string not null, window_start timestamp not null, window_end timestamp not null, records int64 not null, seconds decimal(38,3), messages decimal(38,3)",
        "account_id string not null, service string, timezone string not null, window_start timestamp not null, window_end timestamp not null, records int64 not null",
        "record_id string not null, account_id string not null, msisdn string, service string, started_at timestamp not null, quantity decimal(18,3)",
        "record_id string not null, account_id string not null, msisdn string, service string, started_at timestamp not null, quantity decimal(18,3)",
      ])
    guard let cycles = plan.steps.first(where: { $0.name == "cycles" }), case .aggregate(let spec) = cycles.operation
    else {
      Issue.record("cycles is no aggregate")
      return
    }
    #expect(spec.window == .calendar(.month, timezone: .column(11), cycleDay: .column(12)))
  }

  @Test func usageAggregation_canReadFilesInstead() throws {
    let plan = try plan(["sources.usage.connector=file", "sources.usage.path=/data/usage"])
    guard case .file(let spec) = plan.sources[0].connector else {
      Issue.record("not a file source")
      return
    }
    #expect(spec.path == "/data/usage")
    #expect(plan.notes.count == 6)
    #expect(plan.sources[0].eventTime == 4)
  }
}
