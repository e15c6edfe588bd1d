import Formats
import Glibc
import StreamModel
import Testing

@testable import Connectors

/// Writes the first column's values, one a line, under a header.
private final class PlainEncoder: RecordEncoder {
  func header(for schema: Schema) -> [UInt8] { Array("# \(schema)\n".utf8) }
  func encode(_ batch: RecordBatch, into buffer: inout ByteBuffer) {
    for row in 0..<batch.count {
      var line = "\(batch.columns[0].int64s[row])\n"
      line.withUTF8 { buffer.append($0) }
    }
  }
}

private let numbers = Schema([Field("n", .int64)])

private func batch(_ values: [Int64]) -> RecordBatch { batch(numbers, values.map { [.int64($0)] }) }

private func batch(_ schema: Schema, _ rows: [[Value]]) -> RecordBatch {
  let builders = schema.fields.map { ColumnBuilder($0.type) }
  let times = ColumnBuilder(.timestamp)
  for row in rows {
    for (builder, value) in zip(builders, row) { builder.append(value) }
    times.append(int64: EventTimes.minimum)
  }
  return RecordBatch(
    schema: schema, columns: builders.map { $0.finish() }, count: rows.count, eventTimes: times.finish())
}

@Suite struct FileSinkTests {
  let scratch = Scratch()

  private func writer(subtask: Int = 0, rollBytes: Int64 = 1 << 20) -> FileSinkWriter {
    FileSinkWriter(
      path: "\(scratch.path)/out/deep", encoder: PlainEncoder(), suffix: "json", schema: numbers, place: "sinks.s",
      owner: "job.s", subtask: subtask, rollBytes: rollBytes)
  }

  private var visible: [String] {
    Scratch.names(in: "\(scratch.path)/out/deep").filter { !$0.hasPrefix(".") }
  }
  private var hidden: [String] { Scratch.names(in: "\(scratch.path)/out/deep").filter { $0.hasPrefix(".") } }

  @Test func rows_areInvisibleUntilTheirCheckpointIsCommitted() throws {
    let sink = writer()
    try sink.open()
    try sink.write(batch([1, 2]))
    #expect(visible == [])
    let parts = try sink.prepare(checkpoint: 7)
    #expect(visible == [])
    #expect(parts.map(\.rows) == [2])
    try sink.write(batch([3]))
    try sink.commit(parts)
    #expect(visible == ["part-0-7-0.json"])
    #expect(Scratch.read(parts[0].finalPath) == "# n int64\n1\n2\n")
    try sink.commit(sink.prepare(checkpoint: 8))
    #expect(visible == ["part-0-7-0.json", "part-0-8-0.json"])
    #expect(Scratch.read("\(scratch.path)/out/deep/part-0-8-0.json") == "# n int64\n3\n")
    #expect(hidden == [])
  }

  @Test func commit_canBeRepeated_alsoByAnotherWriter() throws {
    let sink = writer()
    try sink.write(batch([1]))
    let parts = try sink.prepare(checkpoint: 1)
    try sink.commit(parts)
    try sink.commit(parts)
    try writer(subtask: 1).commit(parts)
    // As a crash between the link and the unlink leaves it.
    link(parts[0].finalPath, parts[0].pendingPath)
    try writer().commit(parts)
    #expect(hidden == [])
    #expect(Scratch.read(parts[0].finalPath) == "# n int64\n1\n")
  }

  @Test func withoutRows_nothingIsPrepared() throws {
    let sink = writer()
    try sink.open()
    #expect(try sink.prepare(checkpoint: 1) == [])
    #expect(Scratch.names(in: "\(scratch.path)/out/deep") == [])
  }

  @Test func close_takesBackWhatWasNotPrepared_andNothingElse() throws {
    let sink = writer()
    try sink.write(batch([1]))
    let parts = try sink.prepare(checkpoint: 1)
    try sink.write(batch([2]))
    sink.close()
    #expect(hidden.count == 1)
    try writer().commit(parts)
    #expect(visible == ["part-0-1-0.json"])
  }

  @Test func leftoversOfADeadRun_areInvisible_andDiscardedOnlyForTheirOwner() throws {
    var dead: FileSinkWriter? = writer()
    try dead?.write(batch([1]))
    dead = nil
    #expect(visible == [])
    #expect(hidden.count == 1)
    let path = "\(scratch.path)/out/deep"
    try FileSinkWriter.discardLeftovers(in: path, owner: "another.s", place: "sinks.s")
    #expect(hidden.count == 1)
    try FileSinkWriter.discardLeftovers(in: path, owner: "job.s", place: "sinks.s")
    #expect(hidden == [])
  }

  @Test func earlierOutputOfTheSameName_isNeverReplaced() throws {
    let first = writer()
    try first.write(batch([1]))
    try first.commit(first.prepare(checkpoint: 1))
    let second = writer()
    try second.write(batch([2]))
    let parts = try second.prepare(checkpoint: 1)
    #expect(parts[0].finalPath.hasSuffix("/part-0-1-1.json"))
    scratch.write("out/deep/part-0-1-1.json", "somebody else's")
    #expect(
      message { try second.commit(parts) }.contains("part-0-1-1.json: another job has written a file of this name"))
    #expect(Scratch.read(parts[0].finalPath) == "somebody else's")
  }

  @Test func largePart_isRolled() throws {
    let sink = writer(rollBytes: 1000)
    let many = Array(repeating: Int64(123_456_789), count: 150)
    try sink.write(batch(many))
    try sink.write(batch(many))
    try sink.write(batch([1]))
    let parts = try sink.prepare(checkpoint: 4)
    #expect(parts.map(\.rows) == [150, 150, 1])
    try sink.commit(parts)
    #expect(visible == ["part-0-4-0.json", "part-0-4-1.json", "part-0-4-2.json"])
  }

  @Test func preparedPartThatVanished_isAnError() throws {
    let sink = writer()
    try sink.write(batch([1]))
    let parts = try sink.prepare(checkpoint: 1)
    unlink(parts[0].pendingPath)
    #expect(message { try sink.commit(parts) }.contains("cannot give it its final name"))
  }

  @Test func directoryThatCannotBeWritten_isAnErrorAtOpen() throws {
    scratch.write("out", "a file")
    #expect(message { try writer().open() }.contains("Not a directory"))
    let below = FileSinkWriter(
      path: "\(scratch.path)/out", encoder: PlainEncoder(), suffix: "json", schema: numbers, place: "sinks.s",
      owner: "o", subtask: 0)
    #expect(
      message { try below.open() }.hasPrefix("sinks.s: \(scratch.path)/out: cannot write into it: Not a directory"))
    let read = FileSinkWriter(
      path: "/proc/weir", encoder: PlainEncoder(), suffix: "json", schema: numbers, place: "sinks.s", owner: "o",
      subtask: 0)
    #expect(message { try read.open() }.contains("/proc/weir: cannot make the directory"))
  }

  @Test func fullDisk_isAnErrorThatMayPass() throws {
    let descriptor = open("/dev/full", O_WRONLY)
    defer { close(descriptor) }
    let output = FileOutput(descriptor: descriptor, path: "/dev/full", place: "sinks.s")
    let error = #expect(throws: ConnectorError.self) {
      try [UInt8](repeating: 1, count: 100).withUnsafeBufferPointer { try output.write($0) }
    }
    #expect(
      error?.description.hasPrefix("sinks.s: /dev/full: cannot write: No space left on device — free space") == true)
    #expect(error?.isRetriable == true)
  }

  @Test func whatFailsToBecomeDurableInTheBackground_isToldByTheNextSync() throws {
    var ends: [Int32] = [0, 0]
    try #require(pipe(&ends) == 0)
    defer { for end in ends { close(end) } }
    let fails = BackgroundSync(descriptor: ends[1], everyBytes: 10)
    fails.note(written: 10)
    while !fails.hasFailed { sched_yield() }
    #expect(fails.finish() == EINVAL)
    let waits = BackgroundSync(descriptor: ends[1], everyBytes: 10)
    waits.note(written: 9)
    #expect(waits.finish() == 0)
  }

  @Test func largeOutput_isSyncedInTheBackground_andReadsBackWhole() throws {
    let scratch = Scratch()
    let path = "\(scratch.path)/grown"
    let output = try FileOutput(creating: path, place: "sinks.s")
    for byte in 0..<UInt8(9) {
      try [UInt8](repeating: byte, count: 1 << 20).withUnsafeBufferPointer { try output.write($0) }
      output.syncInBackground()
    }
    try output.sync()
    #expect(Scratch.readBytes(path) == (0..<UInt8(9)).flatMap { [UInt8](repeating: $0, count: 1 << 20) })
  }
}

@Suite struct ConsoleSinkTests {
  private let schema = Schema([
    Field("account", .string), Field("n", .int64), Field("amount", .decimal(precision: 10, scale: 2)),
    Field("at", .timestamp),
  ])

  /// What a sink prints for `batches`.
  private func printed(_ style: ConsoleSinkWriter.Style?, _ batches: [RecordBatch]) throws -> String {
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    defer { close(ends[0]) }
    let sink = ConsoleSinkWriter(
      descriptor: ends[1], encoder: PlainEncoder(), schema: batches[0].schema, place: "sinks.c", style: style)
    try sink.open()
    for batch in batches { try sink.write(batch) }
    close(ends[1])
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let given = read(ends[0], &buffer, buffer.count)
    return String(decoding: buffer[..<max(given, 0)], as: UTF8.self)
  }

  private func row(_ account: String, _ number: Int64, _ cents: Int128) -> [Value] {
    [.string(account), .int64(number), .decimal(cents, scale: 2), .timestamp(0)]
  }

  @Test func terminal_getsAnAlignedTable() throws {
    let rows = batch(schema, [row("acc-1", 5, 1250), row("a", 12345, -5), [.null, .null, .null, .null]])
    #expect(
      try printed(.table(width: 80, height: 24), [rows]) == """
        account │     n │ amount │ at
        ────────┼───────┼────────┼─────────────────────────
        acc-1   │     5 │  12.50 │ 1970-01-01T00:00:00.000Z
        a       │ 12345 │  -0.05 │ 1970-01-01T00:00:00.000Z
        null    │  null │   null │ null

        """)
  }

  @Test func widerCell_widensItsColumnUnderANewHeader() throws {
    let text = try printed(
      .table(width: 80, height: 24), [batch(schema, [row("a", 1, 1)]), batch(schema, [row("account-12", 1, 1)])])
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines.filter { $0.hasPrefix("account ") }.count == 2)
    #expect(lines.contains("account-12 │ 1 │   0.01 │ 1970-01-01T00:00:00.000Z"))
  }

  @Test func whereTheTerminalIsNarrow_longTextsGoOnInFurtherLines() throws {
    let name = "abcdefghijklmnopqrstuvwxyz0123456789"
    let text = try printed(.table(width: 64, height: 24), [batch(schema, [row(name, 1_234_567, 1)])])
    #expect(
      text == """
        account            │       n │ amount │ at
        ───────────────────┼─────────┼────────┼─────────────────────────
        abcdefghijklmnopqr │ 1234567 │   0.01 │ 1970-01-01T00:00:00.000Z
        stuvwxyz0123456789 │         │        │\u{20}

        """)
  }

  @Test func whereNoTableFits_everyRowIsARecord() throws {
    let rows = batch(schema, [row("acc-1", 5, 1250), row("a long name of an account", 7, -5)])
    #expect(
      try printed(.table(width: 30, height: 24), [rows]) == """
        ── 1 ─────────────────────────
        account  acc-1
        n        5
        amount   12.50
        at       1970-01-01T00:00:00.0
                 00Z
        ── 2 ─────────────────────────
        account  a long name of an acc
                 ount
        n        7
        amount   -0.05
        at       1970-01-01T00:00:00.0
                 00Z

        """)
  }

  @Test func nothingIsWiderThanTheTerminal_andNoCharacterIsLost() throws {
    var random = testRandom()
    for _ in 0..<40 {
      let width = Int.random(in: 28...100, using: &random)
      let name = String(
        (0..<Int.random(in: 1...120, using: &random)).map { _ in "aé漢😀".randomElement(using: &random) ?? "a" })
      let text = try printed(.table(width: width, height: 24), [batch(schema, [row(name, .max, 7)])])
      let lines = text.split(separator: "\n")
      #expect(lines.allSatisfy { TerminalText.width(of: String($0)) <= width })
      #expect(text.filter { "é漢😀".contains($0) } == name.filter { "é漢😀".contains($0) })
      #expect(text.contains("9223372036854775807"))
    }
  }

  @Test func header_isRepeatedOncePerScreen() throws {
    let rows = batch(schema, Array(repeating: row("a", 1, 1), count: 25))
    let lines = try printed(.table(width: 80, height: 12), [rows]).split(separator: "\n")
    #expect(lines.filter { $0.hasPrefix("account") }.count == 3)
  }

  @Test func controlCharacters_areWrittenOut() throws {
    let text = try printed(.table(width: 80, height: 24), [batch(schema, [row("\u{1B}[2J\n", 1, 1)])])
    #expect(text.contains("\\u{1b}[2J\\n"))
    #expect(!text.utf8.contains(0x1B))
  }

  @Test func style_isATableOfTheTerminalsSize_orLines() throws {
    // What grantpt, unlockpt and ptsname do: TIOCSPTLCK and TIOCGPTN.
    let terminal = open("/dev/ptmx", O_RDWR | O_NOCTTY)
    var lock: Int32 = 0
    var number: Int32 = 0
    try #require(ioctl(terminal, 0x4004_5431, &lock) == 0 && ioctl(terminal, 0x8004_5430, &number) == 0)
    defer { close(terminal) }
    let side = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY)
    try #require(side >= 0)
    defer { close(side) }
    #expect(ConsoleSinkWriter.style(for: side) == .table(width: 80, height: 24))
    var size = winsize(ws_row: 50, ws_col: 132, ws_xpixel: 0, ws_ypixel: 0)
    #expect(ioctl(side, UInt(TIOCSWINSZ), &size) == 0)
    #expect(ConsoleSinkWriter.style(for: side) == .table(width: 132, height: 50))
    let file = open("/dev/null", O_WRONLY)
    defer { close(file) }
    #expect(ConsoleSinkWriter.style(for: file) == .lines)
  }

  @Test func outputThatNobodyReads_isAnError() throws {
    signal(SIGPIPE, SIG_IGN)
    var ends: [Int32] = [0, 0]
    precondition(pipe(&ends) == 0)
    close(ends[0])
    let sink = ConsoleSinkWriter(
      descriptor: ends[1], encoder: PlainEncoder(), schema: numbers, place: "sinks.c", style: .lines)
    #expect(message { try sink.write(batch([1])) }.contains("sinks.c: console: cannot write: Broken pipe"))
    close(ends[1])
  }

  @Test func withoutATerminal_rowsAreLines() throws {
    #expect(try printed(nil, [batch([1, 2]), batch([3])]) == "1\n2\n3\n")
  }

  @Test func wideCharacters_countTwice() {
    #expect(TerminalText("漢字a").width == 5)
    #expect(TerminalText("漢字a").wrapped(to: 3).map(\.text) == ["漢", "字a"])
  }
}
