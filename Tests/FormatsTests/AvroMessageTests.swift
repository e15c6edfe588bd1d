import Foundation
import RegistryDouble
import StreamModel
import Testing

@testable import Formats

/// Messages whose schemas a registry holds: a double of it, or the one that `WEIR_TEST_REGISTRY` names.
struct AvroMessageTests {
  private static let real = ProcessInfo.processInfo.environment["WEIR_TEST_REGISTRY"]

  private static func columns(_ extra: Field...) -> Schema {
    Schema([Field("id", .int64, nullable: false), Field("name", .string)] + extra)
  }

  private func withRegistry(_ body: (String, RegistryDouble?) throws -> Void) throws {
    if let real = AvroMessageTests.real { try body(real, nil) }
    let double = RegistryDouble()
    defer { double.stop() }
    try body(double.url, double)
  }

  private func client(_ url: String, attempts: Int = 3) -> HTTPSchemaRegistry {
    HTTPSchemaRegistry(RegistryOptions(url: url), attempts: attempts)
  }

  private func messages(_ schema: Schema, _ rows: [[Value]], _ url: String, _ subject: String) throws -> [[UInt8]] {
    var options = AvroOptions()
    options.registry = RegistryOptions(url: url)
    let encoder = Format.avro(options).makeMessageEncoder(schema: schema, subject: subject)
    try encoder.open()
    var buffer = ByteBuffer()
    var ranges: [Range<Int>] = []
    try encoder.encode(batch(schema, rows), into: &buffer, ranges: &ranges)
    return ranges.map { Array(buffer.bytes[$0]) }
  }

  /// A chunk as a source of messages makes it.
  private func chunk(of messages: [[UInt8]], firstOffset: Int64 = 100) -> RecordChunk {
    let bytes = messages.flatMap { $0 }
    let storage = Memory(capacityBytes: bytes.count + RecordChunk.paddingBytes)
    storage.base.initializeMemory(as: UInt8.self, repeating: 0xFF, count: bytes.count + RecordChunk.paddingBytes)
    for (index, byte) in bytes.enumerated() { storage.base.storeBytes(of: byte, toByteOffset: index, as: UInt8.self) }
    var starts: [Int32] = []
    var end: Int32 = 0
    for message in messages {
      starts.append(end)
      end += Int32(message.count)
    }
    let index = MessageIndex(
      starts: starts, lengths: messages.map { Int32($0.count) },
      offsets: messages.indices.map { firstOffset + Int64($0) })
    return RecordChunk(
      partition: SourcePartition(source: "s", name: "t-0", index: 0), offset: 0, storage: storage, count: bytes.count,
      messageIndex: index)
  }

  private func decoder(_ schema: Schema, _ url: String, attempts: Int = 3) -> AvroMessageDecoder {
    AvroMessageDecoder(
      schema: schema, materialize: Array(0..<schema.count), epochSecondColumns: [], readerSchema: nil,
      registry: client(url, attempts: attempts))
  }

  @Test func messagesOfSeveralSchemas_giveRowsOfOne_andEachSchemaIsAskedForOnce() throws {
    try withRegistry { url, double in
      let subject = "s-\(UUID().uuidString)"
      let old = AvroMessageTests.columns()
      let new = AvroMessageTests.columns(Field("price", .decimal(precision: 10, scale: 2)))
      let first = try messages(old, [[.int64(1), .string("a")], [.int64(2), .null]], url, subject)
      let second = try messages(new, [[.int64(3), .string("c"), .decimal(150, scale: 2)]], url, subject)
      let decoder = decoder(new, url)
      let expected: [[Value]] = [
        [.int64(1), .string("a"), .null], [.int64(3), .string("c"), .decimal(150, scale: 2)],
        [.int64(2), .null, .null],
      ]
      let chunk = chunk(of: [first[0], second[0], first[1]])
      for _ in 0..<3 {
        let decoded = try decoder.decode(chunk, prologue: [])
        #expect(decoded.failures.isEmpty)
        #expect(decoded.values == expected)
      }
      if let double { #expect(double.requests.count { $0.hasPrefix("GET /schemas/ids/") } == 2) }
    }
  }

  @Test func whatIsNoMessage_failsAlone() throws {
    try withRegistry { url, _ in
      let schema = AvroMessageTests.columns()
      let good = try messages(schema, [[.int64(1), .string("a")]], url, "s-\(UUID().uuidString)")[0]
      let unknown: [UInt8] = [0, 0x7F, 0xFF, 0xFF, 0xF0] + good[5...]
      let decoded = try decoder(schema, url).decode(
        chunk(of: [Array("{}".utf8), good, unknown, good + [1], Array(good.dropLast())]), prologue: [])
      #expect(decoded.values == [[.int64(1), .string("a")]])
      try #require(decoded.failures.count == 4)
      let reasons = decoded.failures.map(\.reason)
      #expect(
        reasons[0]
          == "the message is not in the schema registry's wire format: it begins with byte 123, not 0 and a schema's number"
      )
      #expect(reasons[1].hasPrefix("schema 2147483632 is not in the schema registry at \(url): "))
      #expect(reasons[2] == "1 bytes follow the record")
      #expect(reasons[3].hasSuffix("it ends too early"))
      #expect(decoded.failureRanges.map(\.lowerBound) == [0, 2 + good.count, 2 + 2 * good.count, 3 + 3 * good.count])
    }
  }

  @Test func aSchemaThatDoesNotFit_isRefusedWithWhatDoesNotFit() throws {
    try withRegistry { url, double in
      let subject = "s-\(UUID().uuidString)"
      _ = try messages(AvroMessageTests.columns(), [[.int64(1), .null]], url, subject)
      let other = AvroMessageTests.columns(Field("extra", .int64, nullable: false))
      let error = #expect(throws: FormatError.self) {
        try self.messages(other, [[.int64(1), .null, .int64(2)]], url, subject)
      }
      #expect(error?.isRetriable == false)
      let text = try #require(error?.description)
      #expect(text.hasPrefix("the schema of subject \(subject) is incompatible with the version before"))
      if double != nil { #expect(text.hasSuffix(": READER_FIELD_MISSING_DEFAULT_VALUE: extra")) }
    }
  }

  @Test func withoutRegistering_anUnknownSchemaIsRefused() throws {
    try withRegistry { url, _ in
      let registry = client(url)
      let text = AvroSchemaWriter.schema(of: AvroMessageTests.columns(), recordName: "Row").description
      let subject = "s-\(UUID().uuidString)"
      let error = #expect(throws: SchemaRegistryError.self) { try registry.number(of: text, subject: subject) }
      #expect(error?.kind == .absent)
      let number = try registry.register(text, subject: subject)
      #expect(try client(url).number(of: text, subject: subject) == number)
    }
  }

  @Test func aRegistryThatIsBusy_isAskedAgain() throws {
    let double = RegistryDouble()
    defer { double.stop() }
    double.failNext(2)
    #expect(try client(double.url).register("\"string\"", subject: "s") == 1)
    double.failNext(3)
    let error = #expect(throws: SchemaRegistryError.self) { try self.client(double.url).schema(number: 1) }
    #expect(error?.kind == .unavailable)
  }

  @Test func aRegistryThatIsNotThere_isTheSourcesFailureAndNoRecords() throws {
    let double = RegistryDouble()
    double.stop()
    let message: [UInt8] = [0, 0, 0, 0, 1, 2]
    let error = #expect(throws: FormatError.self) {
      try self.decoder(AvroMessageTests.columns(), double.url, attempts: 1).decode(
        self.chunk(of: [message]), prologue: [])
    }
    #expect(error?.isRetriable == true)
    #expect(error?.description.contains("does not answer") == true)
  }

  @Test func credentialsComeFromTheEnvironment_andAreNeverShown() throws {
    setenv("WEIR_TEST_AUTH_USER", "ann", 1)
    setenv("WEIR_TEST_AUTH_PASSWORD", "s3cret", 1)
    let double = RegistryDouble(authorization: "Basic YW5uOnMzY3JldA==")
    defer { double.stop() }
    var options = RegistryOptions(url: double.url)
    options.credentialsName = "WEIR_TEST_AUTH"
    #expect(try HTTPSchemaRegistry(options).register("\"string\"", subject: "s") == 1)
    let error = #expect(throws: SchemaRegistryError.self) { try self.client(double.url).schema(number: 1) }
    #expect(
      error?.description
        == "schema 1: the schema registry at \(double.url) refuses access (401) — set WEIR_REGISTRY_USER and WEIR_REGISTRY_PASSWORD"
    )
  }

  @Test func messagesOfLines_areTheLinesWithoutTheirEnds() throws {
    let schema = Schema([Field("a", .string), Field("b", .int64)])
    let rows: [[Value]] = [[.string("x\ny"), .int64(1)], [.null, .null]]
    for (format, expected) in [
      (Format.json, ["{\"a\":\"x\\ny\",\"b\":1}", "{\"a\":null,\"b\":null}"]),
      (.csv(CSVOptions()), ["\"x\ny\",1", ","]),
    ] {
      let encoder = format.makeMessageEncoder(schema: schema, subject: "s")
      var buffer = ByteBuffer()
      var ranges: [Range<Int>] = []
      try encoder.encode(batch(schema, rows), into: &buffer, ranges: &ranges)
      try encoder.encode(batch(schema, rows), into: &buffer, ranges: &ranges)
      #expect(ranges.map { text(Array(buffer.bytes[$0])) } == expected + expected)
    }
  }
}
