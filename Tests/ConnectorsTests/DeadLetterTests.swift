import Formats
import StreamModel
import Testing

@testable import Connectors

@Suite struct DeadLetterTests {
  private let partition = SourcePartition(source: "usage", name: "/data/a.json", index: 0)
  private let encoder = DeadLetterEncoder(topology: "billing")

  private func chunk(_ text: String) -> RecordChunk {
    Array(text.utf8).withUnsafeBytes { RecordChunk(partition: partition, offset: 1000, copying: $0) }
  }

  private func text(_ batch: RecordBatch) -> [String] {
    var buffer = ByteBuffer()
    Format.json.makeEncoder().encode(batch, into: &buffer)
    return String(decoding: buffer.bytes, as: UTF8.self).split(separator: "\n").map { String($0) }
  }

  @Test func undecodableRecord_isALetterOfItsSource_withItsOwnBytes() {
    let letters = encoder.letters(
      for: [DecodeFailure(start: 3, length: 5, reason: "broken"), DecodeFailure(start: 9, length: 0, reason: "none")],
      in: chunk("ok\nhello\n\n"), port: "undecodable", failedAt: 0)
    #expect(
      text(letters) == [
        #"{"topology":"billing","step":"usage","port":"undecodable","reason":"broken","source":"usage","partition":"/data/a.json","offset":1003,"event_time":null,"failed_at":"1970-01-01T00:00:00.000Z","record":"aGVsbG8="}"#,
        #"{"topology":"billing","step":"usage","port":"undecodable","reason":"none","source":"usage","partition":"/data/a.json","offset":1009,"event_time":null,"failed_at":"1970-01-01T00:00:00.000Z","record":""}"#,
      ])
  }

  private func rows(origin: RecordOrigin?) -> RecordBatch {
    let name = ColumnBuilder(.string)
    let times = ColumnBuilder(.timestamp)
    for row in ["a\nb", "c"] {
      name.append(string: row)
      times.append(int64: row == "c" ? 86_400_000 : EventTimes.minimum)
    }
    return RecordBatch(
      schema: Schema([Field("name", .string)]), columns: [name.finish()], count: 2, eventTimes: times.finish(),
      origin: origin)
  }

  @Test func rowThatWasRead_isALetterWithItsOriginalBytes() {
    let ranges = ColumnBuilder(.int64)
    ranges.append(int64: Int64(packView(start: 0, length: 2)))
    ranges.append(int64: Int64(packView(start: 3, length: 5)))
    let origin = RecordOrigin(chunk: chunk("ok\nhello\n"), ranges: ranges.finish())
    let letters = encoder.letters(
      for: rows(origin: origin), reasons: ["one", "two"], step: "hourly", port: "late", failedAt: 1)
    #expect(letters.columns[6].value(at: 1) == .int64(1003))
    #expect(letters.columns[9].value(at: 0) == .string("b2s="))
    #expect(letters.columns[9].value(at: 1) == .string("aGVsbG8="))
    #expect(letters.columns[3].value(at: 1) == .string("two"))
    #expect(letters.columns[7].value(at: 0) == .null)
    #expect(letters.columns[7].value(at: 1) == .timestamp(86_400_000))
    #expect(letters.eventTimes.int64s[1] == 86_400_000)
  }

  @Test func rowThatAStepMade_isALetterWithTheRowAsJSON() throws {
    let letters = encoder.letters(for: rows(origin: nil), reason: "why", step: "s", port: "errors", failedAt: 1)
    #expect(letters.count == 2)
    #expect(letters.columns[4].value(at: 0) == .null)
    #expect(letters.columns[6].value(at: 0) == .null)
    let records = (0..<2).map {
      String(decoding: Base64.decode("\(letters.columns[9].bytes(at: $0).text)") ?? [], as: UTF8.self)
    }
    #expect(records == [#"{"name":"a\nb"}"#, #"{"name":"c"}"#])
  }
}

extension UnsafeBufferPointer<UInt8> {
  fileprivate var text: String { String(decoding: self, as: UTF8.self) }
}

@Suite struct FactoryTests {
  @Test func makers_giveWhatTheSpecSays() throws {
    let scratch = Scratch()
    scratch.write("a.json", "{}\n")
    let file = SourceConnector.file(FileSourceSpec(path: scratch.path, isOnePartition: false))
    #expect(try Reading.whole(file.makeReader(name: "u", job: "job", format: .json)).records.count == 1)
    var spec = GeneratorSpec()
    spec.rows = 10
    #expect(
      try Reading.whole(SourceConnector.generator(spec).makeReader(name: "u", job: "job", format: .json)).records.count
        == 10)

    let sink = SinkConnector.file(path: "\(scratch.path)/out", format: .csv(CSVOptions()))
    let letters = DeadLetterEncoder(topology: "t").letters(
      for: [DecodeFailure(start: 0, length: 1, reason: "why")],
      in: RecordChunk(
        partition: SourcePartition(source: "s", name: "p", index: 0), offset: 0, storage: Memory(capacityBytes: 100),
        count: 1), port: "p", failedAt: 0)
    for owner in ["job", "job2"] {
      let writer = sink.makeWriter(name: "totals", job: owner, schema: deadLetterSchema, subtask: 3)
      try writer.open()
      try writer.write(letters)
      if owner == "job" { try sink.commit(writer.prepare(checkpoint: 9), name: "totals") }
    }
    try sink.discardLeftovers(name: "totals", job: "job")
    let names = Scratch.names(in: "\(scratch.path)/out")
    #expect(names.count == 2)
    #expect(names[0].hasPrefix(".part-job2.totals.-3-"))
    #expect(names[1] == "part-3-9-0.csv")
    #expect(Scratch.read("\(scratch.path)/out/\(names[1])").hasPrefix("topology,step,port,reason,source,partition,"))
  }
}
