import EndToEndSupport
import Foundation
import Testing

@Suite struct ReplayTests {
  /// A run with bad records, late ones and good ones.
  private func run(_ folder: TestFolder, format: String, _ records: String, suffix: String) throws -> String {
    try folder.write("in/usage.\(suffix)", records)
    let file = try folder.write(
      "t.yaml",
      """
      weir: 1
      topology: t
      checkpoint: {directory: checkpoints}
      dead_letters: {connector: file, path: letters, format: json}
      sources:
        usage:
          connector: file
          path: in
          format: \(format)
          schema: {account_id: string not null, quantity: "decimal(18,3)", started_at: timestamp not null}
          event_time: started_at
      steps:
        hourly:
          from: usage
          aggregate: {key: [account_id], window: {tumble: 1h}, values: {n: count(*)}}
      sinks:
        out: {from: hourly, connector: file, path: out}
      """)
    let result = try WeirProcess.run(["run", file])
    #expect(result.status == 0, "\(result.errors)")
    return file
  }

  private static let jsonRecords = [
    #"{"account_id":"a","quantity":1,"started_at":"2026-01-01T05:00:00Z"}"#,
    #"{"account_id":"a","quantity":"x","started_at":"2026-01-01T05:00:00Z"}"#,
    #"{"account_id":"a","quantity":2,"started_at":"2026-01-01T01:00:00Z"}"#,
  ]

  @Test func recordsComeBackAsTheyWere() throws {
    let folder = try TestFolder()
    let file = try run(folder, format: "json", ReplayTests.jsonRecords.joined(separator: "\n") + "\n", suffix: "json")
    let all = try WeirProcess.run(["replay", file])
    #expect(all.status == 0, "\(all.errors)")
    // Letters of different steps come in the order in which these got to them.
    #expect(Set(all.lines) == [ReplayTests.jsonRecords[1], ReplayTests.jsonRecords[2]])
    #expect(all.lines.count == 2)
    let late = try WeirProcess.run(["replay", file, "--port", "late"])
    #expect(late.lines == [ReplayTests.jsonRecords[2]])
    #expect(late.errors.contains("left 1 letters that were not asked for"))
  }

  @Test func mendedRecords_areReadByTheSourceAgain() throws {
    let folder = try TestFolder()
    let file = try run(folder, format: "json", ReplayTests.jsonRecords.joined(separator: "\n") + "\n", suffix: "json")
    let mended = Data(ReplayTests.jsonRecords[1].replacingOccurrences(of: "\"x\"", with: "3").utf8)
      .base64EncodedString()
    let letters = folder.rows(in: "letters").filter { $0.contains("\"port\":\"error\"") }.map { letter in
      letter.replacing(#/"record":"[^"]*"/#, with: "\"record\":\"\(mended)\"")
    }
    try folder.write("mended.json", letters.joined(separator: "\n") + "\n")
    let replay = try WeirProcess.run(
      ["replay", file, "--letters", "\(folder.path)/mended.json", "--to", "\(folder.path)/in"])
    #expect(replay.status == 0, "\(replay.errors)")
    #expect(replay.errors.contains("replayed 1 records of usage to \(folder.path)/in/replay-usage-1.json"))
    let again = try WeirProcess.run(["run", file, "--from", "none"])
    #expect(again.status == 0, "\(again.errors)")
    #expect(folder.rows(in: "out").contains { $0.contains("\"n\":2") })
  }

  @Test func csvRowsComeBackBehindTheirHeader() throws {
    let folder = try TestFolder()
    let records = "started_at,account_id,quantity\n2026-01-01T05:00:00Z,a,1\n2026-01-01T05:00:00Z,a,oops\n"
    let file = try run(folder, format: "csv", records, suffix: "csv")
    let result = try WeirProcess.run(["replay", file])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.output == "started_at,account_id,quantity\n2026-01-01T05:00:00Z,a,oops\n")
  }

  @Test func avroGoesThroughFilesOfEveryCodec_andItsBadRecordsComeBackAsAvro() throws {
    for codec in ["null", "deflate", "zstandard"] {
      let folder = try TestFolder()
      try folder.write("in.json", ReplayTests.jsonRecords.joined(separator: "\n") + "\n")
      let write = try folder.write(
        "write.yaml",
        """
        weir: 1
        topology: write
        checkpoint: {directory: checkpoints}
        sources:
          usage: {connector: file, path: in.json, schema: {account_id: string not null, started_at: timestamp not null}}
        sinks:
          out: {from: usage, connector: file, path: avro, format: avro, codec: "\(codec)", schema_name: com.example.Usage}
        """)
      #expect(try WeirProcess.run(["run", write]).status == 0)
      let read = try folder.write(
        "read.yaml",
        """
        weir: 1
        topology: read
        checkpoint: {directory: checkpoints}
        dead_letters: {connector: file, path: letters, format: json}
        sources:
          usage: {connector: file, path: avro, format: avro, schema: {account_id: string not null, started_at: timestamp not null}, event_time: started_at}
        steps:
          hourly: {from: usage, aggregate: {key: [account_id], window: {tumble: 1h}, values: {n: count(*)}}}
        sinks:
          out: {from: hourly, connector: console}
        """)
      let result = try WeirProcess.run(["run", read])
      #expect(result.status == 0, "\(result.errors)")
      #expect(result.lines.count == 1 && result.output.contains("\"n\":2"), "\(result.output)")
      let replay = try WeirProcess.run(["replay", read, "--to", "\(folder.path)/again"])
      #expect(replay.status == 0, "\(replay.errors)")
      let again = try WeirProcess.run(
        ["run", read, "--from", "none", "--set", "sources.usage.path=\(folder.path)/again/replay-usage-1.avro"])
      #expect(again.lines.count == 1 && again.output.contains("\"n\":1"), "\(again.errors)")
    }
  }

  @Test func wrongArguments_areStatusTwo() throws {
    let folder = try TestFolder()
    let file = try run(folder, format: "json", ReplayTests.jsonRecords[0] + "\n", suffix: "json")
    let result = try WeirProcess.run(["replay", file, "--source", "usge"])
    #expect(result.status == 2)
    #expect(result.errors.contains("there is no source `usge` — the sources are usage"))
  }
}
