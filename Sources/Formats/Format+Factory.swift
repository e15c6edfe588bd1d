import StreamModel

extension Format {
  /// The most bytes of one record; what is longer fails. Bounds the memory that a partition without line ends can take.
  package static let maxRecordBytes = 16 << 20

  /// A decoder of `schema` that keeps the fields at `materialize`, in that order.
  package func makeDecoder(schema: Schema, materialize: [Int], epochSecondColumns: Set<Int>) -> any RecordDecoder {
    switch self {
    case .json: JSONDecoder(schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns)
    case .csv(let options):
      CSVDecoder(schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns, options: options)
    case .raw: RawDecoder(schema: schema, materialize: materialize)
    }
  }

  package func makeSplitter() -> any RecordSplitter {
    switch self {
    case .json, .raw: LineSplitter()
    case .csv(let options): CSVSplitter(options: options)
    }
  }

  package func makeEncoder() -> any RecordEncoder {
    switch self {
    case .json: JSONEncoder()
    case .csv(let options): CSVEncoder(options: options)
    case .raw: RawEncoder()
    }
  }
}
