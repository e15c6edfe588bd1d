import StreamModel
import Testing

@testable import Formats

/// The benchmark's limit reads what the decoder reads.
@Suite struct SimdJSONLimitTests {
  private let schema = Schema([
    Field("record_id", .string, nullable: false), Field("account_id", .string, nullable: false),
    Field("msisdn", .string),
    Field("service", .string), Field("started_at", .timestamp), Field("quantity", .decimal(precision: 18, scale: 3)),
    Field("destination", .string), Field("country", .string), Field("roaming", .boolean),
    Field("international", .boolean),
    Field("cell_id", .string),
  ])

  private func usage(_ count: Int, country: String = "IE") -> [UInt8] {
    let lines = (0..<count).map { row in
      "{\"record_id\":\"r\(row)\",\"account_id\":\"A\(row % 7)\",\"msisdn\":\"353\(row)\",\"service\":\"data\","
        + "\"started_at\":\"2026-01-01T00:00:00.\(100 + row % 900)Z\",\"quantity\":\(row).250,\"destination\":null,"
        + "\"country\":\"\(country)\",\"roaming\":false,\"international\":\(row % 2 == 0),\"cell_id\":\"C1\"}\n"
    }
    return Array(lines.joined().utf8)
  }

  private func walk(_ bytes: [UInt8]) -> (rows: Int, checksum: UInt64)? {
    (bytes + [UInt8](repeating: 0x20, count: 64)).withUnsafeBufferPointer {
      SimdJSONLimit.walk(UnsafeBufferPointer(rebasing: $0[..<bytes.count]))
    }
  }

  @Test func theWalk_andTheDecoder_seeTheSameRows() throws {
    guard let walked = walk(usage(20_000)) else { return }  // a processor without what the walk needs
    #expect(walked.rows == 20_000)
    let decoded = decodeJSON(usage(20_000), schema)
    #expect(decoded.rows.count == 20_000 && decoded.failures.isEmpty)
    #expect(decoded.rows.columns[5].int64s[19_999] == 19_999_250)
    #expect(walk(usage(20_000, country: "FR"))?.checksum != walked.checksum)
    #expect(walk([])?.rows == 0)
    #expect(walk(Array("{\"record_id\":\"x\"}\n[1]\n".utf8)) == nil)
  }
}
