/// Puts records, as dead letters hold them, back into a file of their format.
package struct RecordFraming: Sendable {
  /// What the file begins with.
  package let header: [UInt8]
  private let sync: [UInt8]?

  /// - Parameter prologue: What the file began with that the records were read from.
  package init(_ format: Format, prologue: [UInt8]) throws(FormatError) {
    guard case .avro = format else {
      sync = nil
      let isClosed = prologue.isEmpty || prologue.last == UInt8(ascii: "\n")
      header = isClosed ? prologue : prologue + [UInt8(ascii: "\n")]
      return
    }
    // The records are unpacked, whatever the file's codec was.
    let parsed = try AvroContainerHeader.parse(prologue)
    sync = parsed.sync
    header = AvroContainerHeader.encode(schema: parsed.schemaText, codec: .null, sync: parsed.sync)
  }

  /// Appends one record.
  package func append(_ record: [UInt8], to buffer: inout ByteBuffer) {
    guard let sync else {
      record.withUnsafeBufferPointer { buffer.append($0) }
      return buffer.append(UInt8(ascii: "\n"))
    }
    AvroBinary.append(long: 1, to: &buffer)
    AvroBinary.append(text: record, to: &buffer)
    sync.withUnsafeBufferPointer { buffer.append($0) }
  }
}
