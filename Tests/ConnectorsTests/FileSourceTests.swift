import Formats
import Glibc
import StreamModel
import Testing

@testable import Connectors

@Suite struct FileSourceTests {
  let scratch = Scratch()

  private func lines(_ count: Int, _ random: inout SeededRandom) -> String {
    var text = ""
    for line in 0..<count {
      text += "\(line) " + String(repeating: "x", count: Int.random(in: 0...300, using: &random)) + "\n"
    }
    return text
  }

  @Test func directory_isReadRecursivelyInTheOrderOfNames_withoutMarkers() throws {
    scratch.write("b.json", "b\n")
    scratch.write("a/2.json", "a2\n")
    scratch.write("a/10.json", "a10\n")
    scratch.write("_SUCCESS", "no\n")
    scratch.write("a/.part.pending", "no\n")
    scratch.write("_temporary/c.json", "no\n")
    let reading = try Reading.whole(fileReader(scratch.path))
    #expect(reading.records.map(\.text) == ["a10\n", "a2\n", "b\n"])
    #expect(reading.records.map(\.partition) == [0, 1, 2])
    #expect(reading.ended == ["0 \(scratch.path)/a/10.json", "1 \(scratch.path)/a/2.json", "2 \(scratch.path)/b.json"])
  }

  @Test func glob_matchesWithinNames_andDoubleStarOverDirectories() throws {
    for name in ["2026/01/a.csv", "2026/01/b.json", "2026/02/a.csv", "2026/a.csv", "a.csv", "_x.csv", ".y.csv"] {
      scratch.write(name, name + "\n")
    }
    func found(_ pattern: String) throws -> [String] {
      try FileLister(place: "test").files(at: "\(scratch.path)/\(pattern)")
        .map { String($0.dropFirst(scratch.path.count + 1)) }
    }
    #expect(try found("*.csv") == ["a.csv"])
    #expect(try found("2026/*/a.csv") == ["2026/01/a.csv", "2026/02/a.csv"])
    #expect(try found("2026/0[12]/?.csv") == ["2026/01/a.csv", "2026/02/a.csv"])
    #expect(try found("**/*.csv") == ["2026/01/a.csv", "2026/02/a.csv", "2026/a.csv", "a.csv"])
    #expect(try found("2026/0*") == ["2026/01/a.csv", "2026/01/b.json", "2026/02/a.csv"])
    #expect(try found("_*.csv") == ["_x.csv"])
  }

  @Test func fileWhoseNameHasBrackets_isReadAsItself() throws {
    let file = scratch.write("usage[1].json", "1\n")
    #expect(try Reading.whole(fileReader(file)).records.map(\.text) == ["1\n"])
  }

  @Test func orderByName_isOnePartitionWhoseRecordsNameTheirFiles() throws {
    scratch.write("1.json", "a\nb\n")
    scratch.write("2.json", "")
    scratch.write("3.json", "c\n")
    let reader = fileReader(scratch.path, onePartition: true)
    let reading = try Reading.whole(reader)
    #expect(reader.partitions.map(\.name) == [scratch.path])
    #expect(reading.records.map(\.text) == ["a\n", "b\n", "c\n"])
    #expect(reading.records.map(\.partition) == [0, 0, 0])
    #expect(reading.records.map(\.position) == [0, 2, 0])
    #expect(reading.records.last?.file == "\(scratch.path)/3.json")
    #expect(reading.ended == ["0 \(scratch.path)"])
  }

  @Test func chunkSize_doesNotChangeTheRecords() throws {
    var random = testRandom()
    for file in 0..<4 {
      scratch.write("\(file).csv", "head,er\n" + lines(200, &random) + (file == 2 ? "" : "no line end"))
    }
    let expected = try Reading.whole(fileReader(scratch.path, header: true))
    #expect(expected.records.count == 803)
    #expect(expected.prologues == ["head,er\n"])
    for _ in 0..<20 {
      let most = Int.random(in: 1...5000, using: &random)
      let reading = try Reading.whole(fileReader(scratch.path, header: true)) {
        Int.random(in: 1...most, using: &random)
      }
      #expect(reading == expected)
    }
  }

  @Test func chunks_haveAboutTheSizeAskedFor() throws {
    var random = testRandom()
    scratch.write("a.json", lines(5000, &random))
    let reading = try Reading.whole(fileReader(scratch.path), targetBytes: { 10_000 })
    #expect(reading.chunkSizes.dropLast().allSatisfy { (9_600...10_000).contains($0) })
  }

  @Test func seek_goesOnWhereThePositionsSay() throws {
    var random = testRandom()
    for file in 0..<5 { scratch.write("\(file).csv", "head,er\n" + lines(60, &random)) }
    for onePartition in [false, true] {
      let expected = try Reading.whole(fileReader(scratch.path, onePartition: onePartition, header: true))
      for _ in 0..<30 {
        let target = Int.random(in: 1...9000, using: &random)
        var reading = Reading()
        var positions: [PartitionPosition] = []
        var goesOn = true
        while goesOn {
          let reader = fileReader(scratch.path, onePartition: onePartition, header: true)
          try reader.open()
          try reader.seek(to: positions)
          goesOn = try reading.take(reader, limit: Int.random(in: 1...4, using: &random)) { target }
          positions = reader.positions
        }
        #expect(reading == expected)
      }
    }
  }

  @Test func afterTheEnd_newAndGrownFilesAreRead_andNothingElse() throws {
    scratch.write("b.json", "1\n")
    for onePartition in [false, true] {
      let first = fileReader(scratch.path, onePartition: onePartition)
      _ = try Reading.whole(first)
      #expect(!first.positions.contains { !$0.isAtEnd })
      let second = fileReader(scratch.path, onePartition: onePartition)
      try second.open()
      try second.seek(to: first.positions)
      var nothing = Reading()
      _ = try nothing.take(second)
      #expect(nothing == Reading())

      scratch.write("a.json", "0\n")
      scratch.write("b.json", "1\n2\n")
      let third = fileReader(scratch.path, onePartition: onePartition)
      try third.open()
      try third.seek(to: first.positions)
      var more = Reading()
      _ = try more.take(third)
      #expect(more.records.map(\.text) == ["0\n", "2\n"])
      #expect(more.ended.count == (onePartition ? 1 : 2))
      unlink("\(scratch.path)/a.json")
      scratch.write("b.json", "1\n")
    }
  }

  @Test func recordThatIsTooLong_isOneFailure_andTheNextIsRead() throws {
    let long = String(repeating: "y", count: 100_000)
    let file = scratch.write("a.json", "1\n\(long)\n2\n")
    let expected = try Reading.whole(fileReader(file, maxRecordBytes: 4096))
    #expect(expected.records.map(\.text) == ["1\n", "2\n"])
    #expect(expected.records.map(\.position) == [0, 100_003])
    #expect(expected.undecodable.count == 1)
    let prefix = "2+4096: the record is 100001 bytes long, from byte 2 to byte 100003"
    #expect(expected.undecodable.first?.hasPrefix(prefix) == true)
    for target in [1, 700, 5000] {
      let reading = try Reading.whole(fileReader(file, maxRecordBytes: 4096), targetBytes: { target })
      #expect(reading.records == expected.records)
      #expect(reading.undecodable.count == 1)
    }
  }

  @Test func recordThatIsTooLongAtTheEndOfAFile_isOneFailure() throws {
    let file = scratch.write("a.json", String(repeating: "y", count: 10_000))
    let reading = try Reading.whole(fileReader(file, maxRecordBytes: 4096), targetBytes: { 100 })
    #expect(reading.records.isEmpty)
    #expect(reading.undecodable.count == 1)
    #expect(reading.undecodable.first?.contains("10000 bytes long, from byte 0 to byte 10000") == true)
  }

  @Test func csvRecordThatIsTooLong_endsWhereItsQuotesSay() throws {
    let long = "\"" + String(repeating: "y\n\"\"z,", count: 200_000) + "\""
    let file = scratch.write("a.csv", "h\n1\n\(long),2\n3\n")
    for target in [300, 1 << 20] {
      let reading = try Reading.whole(fileReader(file, header: true, maxRecordBytes: 4096), targetBytes: { target })
      #expect(reading.records.map(\.text) == ["1\n", "3\n"])
      #expect(reading.records.last?.position == Int64(4 + long.utf8.count + 3))
      #expect(reading.undecodable.count == 1)
      #expect(reading.undecodable.first?.contains("is \(long.utf8.count + 3) bytes long, from byte 4") == true)
    }
  }

  @Test func tooLongRecord_mayEndAnywhereInAWindow() throws {
    let window = RecordTail.windowBytes
    for length in [4095, 4096, 4097, 4096 + window - 1, 4096 + window, 4096 + window + 1, 4096 + 2 * window] {
      let file = scratch.write("a.json", String(repeating: "y", count: length) + "\n2\n3\n")
      let reading = try Reading.whole(fileReader(file, maxRecordBytes: 4096), targetBytes: { 300 })
      #expect(reading.undecodable.count == (length < 4096 ? 0 : 1))
      #expect(reading.records.suffix(2).map(\.text) == ["2\n", "3\n"])
      #expect(reading.records.last?.position == Int64(length + 3))
    }
  }

  // MARK: - What is wrong outside

  @Test func missingInput_isAnErrorThatNamesThePath() {
    #expect(message { try fileReader("/nowhere/at/all").open() }.contains("/nowhere/at/all: cannot find: No such file"))
    #expect(message { try fileReader("\(scratch.path)/*.csv").open() }.contains("/*.csv: there is no file to read"))
    #expect(message { try fileReader(scratch.path).open() }.contains("\(scratch.path): there is no file to read"))
    let file = scratch.write("f", "1\n")
    #expect(message { try fileReader("\(file)/x").open() }.contains("Not a directory"))
  }

  @Test func linksInACircle_areAnError() {
    symlink("\(scratch.path)/loop", "\(scratch.path)/loop")
    #expect(message { try fileReader("\(scratch.path)/loop").open() }.contains("symbolic links"))
    unlink("\(scratch.path)/loop")
    symlink(scratch.path, "\(scratch.path)/inside")
    #expect(message { try fileReader(scratch.path).open() }.contains("symbolic link to a directory around it"))
  }

  @Test func pipe_isNoInputFile() {
    mkfifo("\(scratch.path)/pipe", 0o644)
    #expect(message { try fileReader(scratch.path).open() }.contains("pipe: is neither a file nor a directory"))
  }

  @Test func unreadableFileOrDirectory_isAnErrorBeforeAnythingIsRead() throws {
    let file = scratch.write("d/f.json", "1\n")
    chmod(file, 0)
    try asAnotherUser {
      #expect(message { try fileReader(scratch.path).open() }.contains("f.json: cannot read: Permission"))
    }
    chmod(file, 0o644)
    chmod("\(scratch.path)/d", 0)
    try asAnotherUser {
      #expect(message { try fileReader(scratch.path).open() }.contains("d: cannot list: Permission"))
    }
  }

  /// Runs `body` without the superuser's rights on files; of all threads only on this one.
  private func asAnotherUser(_ body: () throws -> Void) throws {
    guard geteuid() == 0 else { return try body() }
    let symbol = try #require(dlsym(nil, "setfsuid"))
    let setfsuid = unsafeBitCast(symbol, to: (@convention(c) (uid_t) -> Int32).self)
    chmod(scratch.path, 0o755)
    _ = setfsuid(65534)
    defer { _ = setfsuid(0) }
    try body()
  }

  @Test func fileThatVanishes_failsTheSource() throws {
    scratch.write("1.json", "1\n")
    let second = scratch.write("2.json", "2\n")
    let reader = fileReader(scratch.path)
    try reader.open()
    unlink(second)
    var reading = Reading()
    let text = message { _ = try reading.take(reader) }
    #expect(text.contains("\(second): cannot open: No such file"))
    #expect(reading.records.map(\.text) == ["1\n"])
  }

  @Test func fileThatShrinks_failsTheSource() throws {
    var random = testRandom()
    let file = scratch.write("1.json", lines(1000, &random))
    let reader = fileReader(file)
    try reader.open()
    var reading = Reading()
    _ = try reading.take(reader, limit: 1) { 1000 }
    truncate(file, 5000)
    #expect(message { _ = try reading.take(reader) { 1000 } }.contains("became shorter while it was read"))
    let again = fileReader(file)
    try again.open()
    try again.seek(to: [PartitionPosition(partition: file, offset: 9000, isAtEnd: false)])
    #expect(message { _ = try again.next(targetBytes: 10) }.contains("fewer than the 9000 already read"))
  }

  @Test func fileThatIsGoneBeforeItsEndWasRead_failsTheSeek() throws {
    scratch.write("1.json", "1\n")
    let reader = fileReader(scratch.path)
    try reader.open()
    let gone = PartitionPosition(partition: "\(scratch.path)/0.json", offset: 7, isAtEnd: false)
    #expect(message { try reader.seek(to: [gone]) }.contains("0.json: is not there, though only 7 bytes"))
    try reader.seek(to: [PartitionPosition(partition: gone.partition, offset: 7, isAtEnd: true)])
  }
}
