import EndToEndSupport
import Foundation
import Testing

/// What the system does to a run: files that are not there or not allowed, disks that fill up, readers that go away.
@Suite struct HostileSurroundingsTests {
  static let fileSink = "connector: file, path: out, format: json"

  /// Every record straight into a file.
  static func copy(_ path: String) -> String {
    RunTests.hourly(path, sink: fileSink).replacingOccurrences(of: "from: hourly", with: "from: usage")
  }

  @Test func anEmptyFile_isARunWithoutRows() throws {
    let folder = try TestFolder()
    try folder.write("in.json", "")
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", RunTests.hourly("in.json"))])
    #expect(result.status == 0 && result.output.isEmpty)
    #expect(result.errors.contains("every record is accounted for"), "\(result.errors)")
  }

  @Test func anEmptyDirectory_isSaidSo() throws {
    let folder = try TestFolder()
    try folder.write("in/.hidden", "x")
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", RunTests.hourly("in"))])
    #expect(result.status == 1)
    #expect(result.errors.contains("sources.usage.path") && result.errors.contains("no file"), "\(result.errors)")
  }

  @Test(arguments: ["in", "out"]) func aDirectoryWithoutPermission_isStatusOneWithTheMend(_ locked: String) throws {
    let folder = try TestFolder()
    try folder.write("in/a.json", RunTests.tenRows)
    for name in ["out", "checkpoints"] {
      let place = folder.url.appendingPathComponent(name)
      try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
      try FileManager.default.setAttributes([.posixPermissions: 0o777], ofItemAtPath: place.path)
    }
    let text = RunTests.hourly("in", sink: HostileSurroundingsTests.fileSink)
    let file = try folder.write("t.yaml", text)
    let path = folder.url.appendingPathComponent(locked).path
    try FileManager.default.setAttributes([.posixPermissions: locked == "in" ? 0o000 : 0o555], ofItemAtPath: path)
    defer { try? FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path) }
    let result = try WeirProcess.runUnprivileged(["run", file], in: folder)
    #expect(result.status == 1, "\(result.errors)")
    #expect(result.errors.contains("Permission denied — "), "\(result.errors)")
    #expect(result.errors.contains(path), "\(result.errors)")
  }

  /// The first file is throttled, so that the second is still to be opened when it goes.
  @Test func aFileThatVanishes_failsTheRun_andNothingIsVisible() throws {
    let folder = try TestFolder()
    try folder.write("in/a.json", String(repeating: RunTests.tenRows, count: 1000))
    let second = try folder.write("in/b.json", RunTests.tenRows)
    let text = HostileSurroundingsTests.copy("in")
      .replacingOccurrences(of: "    path: in\n", with: "    path: in\n    rate: 1000\n")
    let running = try WeirProcess.start(["run", try folder.write("t.yaml", text)])
    while !folder.contents.contains("out") && running.process.isRunning { sched_yield() }
    try FileManager.default.removeItem(atPath: second)
    let result = running.wait()
    #expect(result.status == 1, "\(result.errors)")
    #expect(result.errors.contains("b.json") && result.errors.contains("No such file"), "\(result.errors)")
    #expect(folder.withoutCheckpoints == ["in", "in/a.json", "out", "t.yaml"])
  }

  @Test(arguments: ["gz", "zst"]) func damagedCompression_isADeadLetter_andFailsOnlyARunThatAsksForIt(
    _ suffix: String
  ) throws {
    let folder = try TestFolder()
    try folder.write("in/a.json", RunTests.tenRows)
    try folder.write("in/b.json.\(suffix)", "this was never compressed")
    let text = HostileSurroundingsTests.copy("in")
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", text)])
    #expect(result.status == 0, "\(result.errors)")
    #expect(folder.rows(in: "out").count == 10)
    let letters = folder.rows(in: "checkpoints/hourly/dead-letters")
    #expect(letters.count == 1 && letters[0].contains("cannot be decompressed further"), "\(letters)")
    #expect(letters.first?.contains("b.json.\(suffix)") == true)

    let strict = text.replacingOccurrences(of: "    path: in\n", with: "    path: in\n    on_error: fail\n")
    let failed = try WeirProcess.run(["run", "--from", "none", try folder.write("t.yaml", strict)])
    #expect(failed.status == 1)
    #expect(failed.errors.contains("b.json.\(suffix)") && failed.errors.contains(" — "), "\(failed.errors)")
    #expect(folder.rows(in: "out").count == 10)
  }

  // MARK: Output

  /// A limit on file sizes stands for the full disk, which takes rights to make.
  @Test func aFullDisk_isStatusOne_andLeavesNothingBehind() throws {
    let folder = try TestFolder()
    try folder.write("in.json", String(repeating: RunTests.tenRows, count: 3000))
    let file = try folder.write("t.yaml", HostileSurroundingsTests.copy("in.json"))
    let result = try WeirProcess.runInShell("ulimit -f 64; exec \"$WEIR\" run \"$1\"", [file])
    #expect(result.status == 1)
    #expect(result.errors.contains("sinks.out") && result.errors.contains("File too large"), "\(result.errors)")
    #expect(folder.withoutCheckpoints == ["in.json", "out", "t.yaml"])
  }

  @Test func anotherRunIntoTheSameDirectory_replacesNothing() throws {
    let folder = try TestFolder()
    try folder.write("in.json", RunTests.tenRows)
    let file = try folder.write("t.yaml", HostileSurroundingsTests.copy("in.json"))
    #expect(try WeirProcess.run(["run", file]).status == 0)
    let first = try folder.filesWithContents(in: "out")
    #expect(!first.isEmpty)
    let again = try WeirProcess.run(["run", file])
    #expect(again.status == 0 && again.errors.contains("no new input"), "\(again.errors)")
    #expect(try folder.filesWithContents(in: "out") == first)
    #expect(try WeirProcess.run(["run", "--from", "none", file]).status == 0)
    let second = try folder.filesWithContents(in: "out")
    for (name, content) in first { #expect(second[name] == content) }
  }

  @Test func aSinkThatFails_takesTheOthersOutputWithIt() throws {
    let folder = try TestFolder()
    try folder.write("in.json", RunTests.tenRows)
    try folder.write("taken", "a file where a directory is needed")
    let text = HostileSurroundingsTests.copy("in.json") + "\n  second: {from: hourly, connector: file, path: taken}"
    let file = try folder.write(
      "t.yaml", text.replacingOccurrences(of: "path: taken}", with: "path: taken, format: json}"))
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 1)
    #expect(result.errors.contains("sinks.second"), "\(result.errors)")
    #expect(folder.contents.filter { $0.contains("part-") } == [])
  }

  @Test func aReaderThatGoesAway_isAClearError() throws {
    let folder = try TestFolder()
    try folder.write("in.json", String(repeating: RunTests.tenRows, count: 20_000))
    let text = RunTests.hourly("in.json").replacingOccurrences(of: "from: hourly", with: "from: usage")
    let command = "\"$WEIR\" run \"$1\" | head -1; exit \"${PIPESTATUS[0]}\""
    let result = try WeirProcess.runInShell(command, [try folder.write("t.yaml", text)])
    #expect(result.status == 1)
    #expect(result.lines.count == 1)
    #expect(result.errors.contains("Broken pipe"), "\(result.errors)")
  }

  @Test func withoutStandardOutput_rowsGoNowhereElse() throws {
    let folder = try TestFolder()
    try folder.write("in.json", RunTests.tenRows)
    let file = try folder.write("t.yaml", RunTests.hourly("in.json"))
    let result = try WeirProcess.runInShell("exec \"$WEIR\" run \"$1\" >&-", [file])
    #expect(result.status == 1)
    #expect(result.errors.contains("Bad file descriptor"), "\(result.errors)")
  }

  // MARK: Signals

  static let endless = """
    weir: 1
    topology: endless
    checkpoint: {directory: checkpoints}
    sources: {usage: {connector: generator, kind: usage, rate: 5000}}
    sinks: {out: {from: usage, connector: file, path: out, format: json}}
    """

  @Test(arguments: [SIGINT, SIGTERM]) func aSignal_commitsWhatWasReadAndIsStatus130(_ signal: Int32) throws {
    let folder = try TestFolder()
    let running = try WeirProcess.start(["run", try folder.write("t.yaml", HostileSurroundingsTests.endless)])
    while !folder.contents.contains(where: { $0.hasSuffix(".pending") }) && running.process.isRunning { sched_yield() }
    kill(running.process.processIdentifier, signal)
    let result = running.wait()
    #expect(result.status == 130, "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"), "\(result.errors)")
    #expect(!folder.rows(in: "out").isEmpty)
    #expect(folder.contents.filter { $0.hasSuffix(".pending") } == [])
  }

  // MARK: Topologies

  @Test func aTopologyThatIsGarbage_isStatusTwoWithItsPlace() throws {
    let folder = try TestFolder()
    var bomb = "a: &a [x, x, x, x, x, x, x, x, x]\n"
    for (name, inner) in zip("bcdefghi", "abcdefgh") {
      bomb += "\(name): &\(name) [\(Array(repeating: "*\(inner)", count: 9).joined(separator: ", "))]\n"
    }
    let texts = [
      Data((0..<3000).map { UInt8(truncatingIfNeeded: $0 &* 167 ^ $0 >> 3 | 0x80) }), Data(), Data("\0\0\0".utf8),
      Data(bomb.utf8), Data(("a: " + String(repeating: "[", count: 100_000)).utf8), Data("- 1\n- 2\n".utf8),
    ]
    for (index, text) in texts.enumerated() {
      let file = try folder.write("t\(index).yaml", text)
      let result = try WeirProcess.run(["run", file])
      #expect(result.status == 2, "\(index): \(result.errors)")
      #expect(result.errors.hasPrefix("\(file):") && result.errors.contains(" — "), "\(result.errors)")
    }
  }

  @Test(arguments: [
    "a", "=1", "sources", "sources.usage=1", "sources.nope.path=x", "sources.usage.path=", "parallelism=0",
    "parallelism=99999999999999999999", "topology=../x", "sources.usage.watermark.delay=-1s",
    "steps.hourly.aggregate.window.tumble=1", "sources.usage.schema.quantity=decimal(99,3)", "a.b.c.d=",
  ]) func anAbusedOverride_isStatusTwo(_ override: String) throws {
    let folder = try TestFolder()
    try folder.write("in.json", RunTests.tenRows)
    let file = try folder.write("t.yaml", RunTests.hourly("in.json"))
    let result = try WeirProcess.run(["run", file, "--set", override])
    #expect(result.status == 2, "\(result.errors)")
    #expect(result.errors.hasPrefix("--set: "), "\(result.errors)")
    #expect(result.errors.contains(" — "), "\(result.errors)")
  }
}
