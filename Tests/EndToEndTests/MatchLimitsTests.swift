import EndToEndSupport
import Foundation
import Testing

/// What a run says of a `match` that would need more room than it has.
@Suite struct MatchLimitsTests {
  /// How the rows are shared out between A and B decides what C may be: two, four, eight, … ways that are all different.
  private static let topology = """
    weir: 1
    topology: ways
    parallelism: 1
    checkpoint: {directory: checkpoints}
    dead_letters: {connector: file, path: dead, format: json}
    sources:
      rows:
        connector: file
        path: in.json
        format: json
        schema: {key: string not null, x: int64 not null, at: timestamp not null}
        event_time: at
    steps:
      ways:
        from: rows
        match:
          key: [key]
          pattern: "(A | B)+ C"
          define: {C: sum(A.x) = 3 * sum(B.x)}
          measures: {rows: count(*)}
    sinks:
      out: {from: ways, connector: file, path: out, format: json}
    """

  @Test func moreWaysThanTheCap_standInTheSummaryAndAmongTheDeadLetters() throws {
    let folder = try TestFolder()
    // Nine rows of an attempt make 512 ways, each of which may go on as A, B or C: more than a thousand, and it is given up.
    let rows = (0..<12).map { #"{"key":"k","x":\#(1 << $0),"at":"2026-01-01T00:00:\#(String(10 + $0))Z"}"# }
    try folder.write("in.json", rows.joined(separator: "\n") + "\n")
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", Self.topology)])
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.errors.contains("results failed 4"), "\(result.errors)")
    #expect(result.errors.contains("dead letters: 4\n"), "\(result.errors)")
    #expect(result.errors.contains("every record is accounted for"))
    let letters = folder.rows(in: "dead")
    let reason = #""reason":"no match is looked for from this row: more than 1000 partial matches""#
    #expect(letters.count == 4 && letters.allSatisfy { $0.contains(reason) && $0.contains(#""step":"ways""#) })
    let records = rows.prefix(4).map { Data($0.utf8).base64EncodedString() }
    #expect(records.allSatisfy { record in letters.contains { $0.contains(record) } })
  }
}
