import Formats
import StreamModel
import Testing

@testable import Connectors

/// Compressed files as the formats' definitions make them, without compression: their blocks hold the bytes as they are.
private enum Stored {
  /// RFC 1952 around RFC 1951's stored blocks.
  static func gzip(_ bytes: [UInt8]) -> [UInt8] {
    var file: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
    var rest = bytes[...]
    repeat {
      let block = rest.prefix(50_000)
      rest = rest.dropFirst(50_000)
      file.append(rest.isEmpty ? 1 : 0)
      file += little(UInt64(block.count), 2) + little(UInt64(~UInt16(block.count)), 2) + block
    } while !rest.isEmpty
    return file + little(UInt64(crc(bytes)), 4) + little(UInt64(bytes.count), 4)
  }

  /// RFC 8878 with raw blocks.
  static func zstd(_ bytes: [UInt8]) -> [UInt8] {
    // A single segment whose size takes four bytes, without checksum.
    var file: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0b1010_0000] + little(UInt64(bytes.count), 4)
    var rest = bytes[...]
    repeat {
      let block = rest.prefix(100_000)
      rest = rest.dropFirst(100_000)
      file += little(UInt64(block.count) << 3 | (rest.isEmpty ? 1 : 0), 3) + block
    } while !rest.isEmpty
    return file
  }

  private static func little(_ value: UInt64, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: value >> UInt64(8 * $0)) }
  }

  private static func crc(_ bytes: [UInt8]) -> UInt32 {
    var crc = ~UInt32(0)
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0xEDB8_8320 : 0) }
    }
    return ~crc
  }
}

@Suite struct CompressedFileTests {
  let scratch = Scratch()

  private func text(_ lines: Int, _ random: inout SeededRandom) -> [UInt8] {
    var text: [UInt8] = []
    for line in 0..<lines {
      text += Array("\(line) \(String(repeating: "z", count: Int.random(in: 0...200, using: &random)))\n".utf8)
    }
    return text
  }

  @Test(arguments: ["gz", "zst"])
  func compressedFile_givesTheRecordsOfThePlainOne(_ suffix: String) throws {
    var random = testRandom()
    let plain = text(3000, &random)
    let path = scratch.write("a.json", plain)
    let other = scratch.write("a.json.\(suffix)", suffix == "gz" ? Stored.gzip(plain) : Stored.zstd(plain))
    let expected = try Reading.whole(fileReader(path)).records.map { "\($0.position) \($0.text)" }
    for target in [500, 60_000, 1 << 20] {
      let found = try Reading.whole(fileReader(other), targetBytes: { target }).records
      #expect(found.map { "\($0.position) \($0.text)" } == expected)
    }
    var found = Reading()
    var positions: [PartitionPosition] = []
    var goesOn = true
    while goesOn {
      let reader = fileReader(other)
      try reader.open()
      try reader.seek(to: positions)
      goesOn = try found.take(reader, limit: 2) { 100_000 }
      positions = reader.positions
    }
    #expect(found.records.map { "\($0.position) \($0.text)" } == expected)
  }

  @Test func compressorsOutput_isRead() throws {
    // printf 'one\ntwo\n' | gzip -n, and | zstd.
    let gzip: [UInt8] = [
      0x1f, 0x8b, 0x08, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0xcb, 0xcf, 0x4b, 0xe5, 0x2a, 0x29, 0xcf, 0xe7, 0x02,
      0x00, 0xe6, 0x0b, 0xba, 0x12, 0x08, 0x00, 0x00, 0x00,
    ]
    let zstd: [UInt8] = [
      0x28, 0xb5, 0x2f, 0xfd, 0x04, 0x58, 0x41, 0x00, 0x00, 0x6f, 0x6e, 0x65, 0x0a, 0x74, 0x77, 0x6f, 0x0a, 0xe6, 0xa6,
      0x0e, 0x40,
    ]
    #expect(try Reading.whole(fileReader(scratch.write("a.gz", gzip))).records.map(\.text) == ["one\n", "two\n"])
    #expect(try Reading.whole(fileReader(scratch.write("a.zst", zstd))).records.map(\.text) == ["one\n", "two\n"])
  }

  @Test(arguments: ["gz", "zst"])
  func severalStreams_andZerosBehindThem_areOneFile(_ suffix: String) throws {
    func packed(_ text: String) -> [UInt8] {
      suffix == "gz" ? Stored.gzip(Array(text.utf8)) : Stored.zstd(Array(text.utf8))
    }
    let zeros = [UInt8](repeating: 0, count: suffix == "gz" ? 300_000 : 0)
    let file = scratch.write("a.\(suffix)", packed("1\n2") + packed("") + packed("3\n4\n") + zeros)
    #expect(try Reading.whole(fileReader(file)).records.map(\.text) == ["1\n", "23\n", "4\n"])
  }

  @Test(arguments: ["gz", "zst"])
  func emptyContent_hasNoRecords_butAnEmptyFileIsNoArchive(_ suffix: String) throws {
    let file = scratch.write("a.\(suffix)", suffix == "gz" ? Stored.gzip([]) : Stored.zstd([]))
    #expect(try Reading.whole(fileReader(file)).records.isEmpty)
    scratch.write("a.\(suffix)", "")
    let reading = try Reading.whole(fileReader(file))
    #expect(reading.records.isEmpty)
    #expect(reading.letters.map(\.reason).contains { $0.contains("cannot be decompressed further: ") })
  }

  /// The whole records before the damage, the bytes of the record it cuts, and why.
  private func damaged(_ file: String, targetBytes: @escaping () -> Int = { 1 << 20 }) throws -> (
    records: [String], piece: String, position: Int64, reason: String
  ) {
    let reading = try Reading.whole(fileReader(file), targetBytes: targetBytes)
    let letter = try #require(reading.letters.first)
    #expect(reading.letters.count == 1)
    return (reading.records.map { "\($0.position) \($0.text)" }, letter.text, letter.position, letter.reason)
  }

  @Test(arguments: ["gz", "zst"])
  func damage_endsTheFileWithOneFailure_behindEveryRecordBeforeIt(_ suffix: String) throws {
    var random = testRandom()
    let plain = text(3000, &random)
    let expected = try Reading.whole(fileReader(scratch.write("a.json", plain))).records
      .map { "\($0.position) \($0.text)" }
    let packed = suffix == "gz" ? Stored.gzip(plain) : Stored.zstd(plain)
    for kept in [packed.count - 1, packed.count - 5, packed.count / 2, packed.count / 3, 3] {
      let file = scratch.write("a.\(suffix)", Array(packed.prefix(kept)))
      let found = try damaged(file)
      #expect(found.records == Array(expected.prefix(found.records.count)))
      #expect(found.reason.hasPrefix("the file cannot be decompressed further: "))
      #expect(found.reason.contains("cut short"))
      #expect(found.reason.contains("of its \(kept) bytes the last 0 are not read"))
      let starts = plain.indices.filter { $0 == 0 || plain[$0 - 1] == 10 } + [plain.count]
      let start = starts[found.records.count]
      #expect(found.position == Int64(start))
      #expect(plain[start...].starts(with: Array(found.piece.utf8)))
      if kept > packed.count / 2 { #expect(found.records.count > 1000) }
      for target in [300, 70_000] {
        let again = try damaged(file) { target }
        #expect(again.records == found.records && again.piece == found.piece && again.reason == found.reason)
      }
    }
  }

  @Test(arguments: ["gz", "zst"])
  func damage_isReportedOnce_whereverAJobGoesOn(_ suffix: String) throws {
    var random = testRandom()
    let plain = text(400, &random)
    let packed = suffix == "gz" ? Stored.gzip(plain) : Stored.zstd(plain)
    let file = scratch.write("a.\(suffix)", Array(packed.dropLast(packed.count / 3)))
    let expected = try damaged(file)
    var found = Reading()
    var positions: [PartitionPosition] = []
    var goesOn = true
    while goesOn {
      let reader = fileReader(file)
      try reader.open()
      try reader.seek(to: positions)
      goesOn = try found.take(reader, limit: 1) { 5000 }
      positions = reader.positions
    }
    #expect(found.records.map { "\($0.position) \($0.text)" } == expected.records)
    #expect(found.letters.map(\.text) == [expected.piece])
    #expect(found.letters.map(\.reason) == [expected.reason])
  }

  @Test(arguments: ["gz", "zst"])
  func fileThatIsNotWhatItsNameSays_isOneFailure(_ suffix: String) throws {
    let file = scratch.write("a.\(suffix)", "plain text, not compressed\n")
    #expect(try damaged(file).records.isEmpty)
    #expect(try damaged(file).reason.contains("cannot be decompressed further: "))
    let behind = scratch.write("b.gz", Stored.gzip(Array("1\n".utf8)) + Array("garbage".utf8))
    #expect(try damaged(behind).records == ["0 1\n"])
  }

  @Test(arguments: ["gz", "zst"])
  func oneChangedByte_isFoundOut_orChangesNothing(_ suffix: String) throws {
    var random = testRandom()
    let deflater = try #require(Compression(ofFile: "a.\(suffix)")).makeDeflater()
    let plain = text(800, &random)
    var packed = ByteBuffer()
    plain.withUnsafeBufferPointer { deflater.deflate($0, into: &packed) }
    deflater.finish(into: &packed)
    let sound = Array(packed.bytes)
    let records = try Reading.whole(fileReader(scratch.write("a.json", plain))).records.map(\.text)
    for _ in 0..<60 {
      var file = sound
      let place = Int.random(in: file.indices, using: &random)
      file[place] ^= UInt8(1 << Int.random(in: 0...7, using: &random))
      let reading = try Reading.whole(fileReader(scratch.write("b.\(suffix)", file)))
      #expect(reading.letters.count == 1 || reading.records.map(\.text) == records, "bit of byte \(place)")
    }
  }

  @Test(arguments: ["gz", "zst"])
  func whatIsWritten_isRead_whateverTheCuts(_ suffix: String) throws {
    var random = testRandom()
    let plain = text(5000, &random)
    let compression = try #require(Compression(ofFile: "usage.\(suffix)"))
    var outputs: [[UInt8]] = []
    for most in [1, 1000, 1 << 20] {
      let deflater = compression.makeDeflater()
      var packed = ByteBuffer()
      var rest = plain[...]
      while !rest.isEmpty {
        let piece = Array(rest.prefix(most == 1 ? 100_000 : Int.random(in: 1...most, using: &random)))
        piece.withUnsafeBufferPointer { deflater.deflate($0, into: &packed) }
        rest = rest.dropFirst(piece.count)
      }
      deflater.finish(into: &packed)
      outputs.append(Array(packed.bytes))
      let found = try Reading.whole(fileReader(scratch.write("a.\(suffix)", outputs[outputs.count - 1]))).records
      #expect(Array(found.map(\.text).joined().utf8) == plain)
    }
    #expect(outputs[0].count < plain.count)
  }

  @Test func generatedRecords_areCompressedByTheNameOfTheirFile() throws {
    var spec = GeneratorSpec()
    spec.rows = 3000
    _ = try writeGenerated(spec, to: "\(scratch.path)/u.json", format: .json)
    let expected = try Reading.whole(fileReader("\(scratch.path)/u.json")).records.map(\.text)
    for suffix in ["gz", "zst"] {
      _ = try writeGenerated(spec, to: "\(scratch.path)/u.json.\(suffix)", format: .json)
      #expect(try Reading.whole(fileReader("\(scratch.path)/u.json.\(suffix)")).records.map(\.text) == expected)
      #expect(
        Scratch.readBytes("\(scratch.path)/u.json.\(suffix)").count
          < Scratch.readBytes("\(scratch.path)/u.json").count / 2)
    }
    #expect(
      message { _ = try writeGenerated(spec, to: "\(scratch.path)/d.gz", format: .json, files: 2) }
        .contains("name a directory, or write one file"))
  }
}
