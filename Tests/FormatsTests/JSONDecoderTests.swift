import StreamModel
import Testing

@testable import Formats

/// One line per record, decoded with every field kept.
func decodeJSON(_ text: String, _ schema: Schema, offset: Int64 = 0) -> DecodedChunk {
  decodeJSON(Array(text.utf8), schema, offset: offset)
}

func decodeJSON(_ bytes: [UInt8], _ schema: Schema, offset: Int64 = 0) -> DecodedChunk {
  JSONDecoder(schema: schema, materialize: Array(0..<schema.count)).decode(chunk(bytes, offset: offset), prologue: [])
}

func chunk(_ bytes: [UInt8], offset: Int64 = 0) -> RecordChunk {
  let partition = SourcePartition(source: "test", name: "test", index: 0)
  return bytes.withUnsafeBytes { RecordChunk(partition: partition, offset: offset, copying: $0) }
}

extension DecodedChunk {
  var values: [[Value]] { (0..<rows.count).map { row in rows.columns.map { $0.value(at: row) } } }
}

@Suite struct JSONDecoderTests {
  @Test func aLine_isARow() {
    let schema = Schema([Field("a", .string), Field("b", .int64)])
    let decoded = decodeJSON("{\"a\":\"x\",\"b\":1}\n{\"b\":-2,\"a\":\"\\u00e9\\n\"}\n", schema)
    #expect(decoded.values == [[.string("x"), .int64(1)], [.string("é\n"), .int64(-2)]])
    #expect(decoded.failures.isEmpty)
  }
}
