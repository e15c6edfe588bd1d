import StreamModel

extension Format {
  /// The most bytes of one record; what is longer fails. Bounds the memory that a partition without line ends can take.
  package static let maxRecordBytes = 16 << 20

  /// A decoder of `schema` that keeps the fields at `materialize`, in that order.
  /// - Parameter asMessages: Whether chunks hold messages (`RecordChunk.messageIndex`) rather than a file's bytes.
  package func makeDecoder(
    schema: Schema, materialize: [Int], epochSecondColumns: Set<Int>, asMessages: Bool = false
  ) -> any RecordDecoder {
    switch self {
    case .json: JSONDecoder(schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns)
    case .csv(let options):
      CSVDecoder(schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns, options: options)
    case .raw: RawDecoder(schema: schema, materialize: materialize)
    case .avro(let options) where asMessages:
      AvroMessageDecoder(
        schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns,
        readerSchema: options.readerSchema, registry: options.registry.map(HTTPSchemaRegistry.init))
    case .avro(let options):
      AvroFileDecoder(
        schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns,
        readerSchema: options.readerSchema)
    case .debeziumJSON(let options):
      DebeziumDecoder(
        schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns, options: options)
    }
  }

  /// A splitter of one partition's bytes.
  /// - Parameters:
  ///   - prologue: What the partition began with, once that is known.
  ///   - maxRecordBytes: The longest record that is not given away in pieces.
  package func makeSplitter(
    prologue: [UInt8] = [], maxRecordBytes: Int = Format.maxRecordBytes
  ) -> any RecordSplitter {
    switch self {
    case .json, .raw, .debeziumJSON: LineSplitter(maxRecordBytes: maxRecordBytes)
    case .csv(let options): CSVSplitter(options: options, maxRecordBytes: maxRecordBytes)
    case .avro: AvroBlockSplitter(prologue: prologue, maxRecordBytes: maxRecordBytes)
    }
  }

  /// An encoder of files.
  package func makeEncoder() -> any RecordEncoder {
    switch self {
    case .json, .debeziumJSON: JSONEncoder()
    case .csv(let options): CSVEncoder(options: options)
    case .raw: RawEncoder()
    case .avro(let options): AvroFileEncoder(options: options)
    }
  }

  /// An encoder of messages.
  /// - Parameter subject: What the schema is registered under, unless the format says otherwise: `<topic>-value`.
  package func makeMessageEncoder(schema: Schema, subject: String) -> any MessageEncoder {
    switch self {
    case .avro(let options):
      AvroMessageEncoder(
        schema: schema, options: options, subject: options.subject ?? subject,
        registry: options.registry.map(HTTPSchemaRegistry.init))
    case .json, .csv, .raw, .debeziumJSON: LineMessageEncoder(self)
    }
  }
}
