import CSimdJSON
import StreamModel

/// Decodes CSV by RFC 4180, straight from the text into columns.
///
/// With a header, cells are found by name: columns that the schema lacks are ignored, nullable ones that the header lacks
/// are null. Without one the cells are the schema's fields in order. An empty cell is null, a quoted empty one an empty
/// text; values are written as in JSON, quoted or not. A row's cells must be as many as the header's (or the schema's).
/// A blank line is skipped, unless rows have a single cell: then it is a null.
package final class CSVDecoder: RecordDecoder {
  private let columns: ColumnDecoder
  private let options: CSVOptions
  /// The header that the native decoder is set up for.
  private var prologue: [UInt8]?
  private var headerProblem: String?

  package init(
    schema: Schema, materialize: [Int], epochSecondColumns: Set<Int> = [], options: CSVOptions = CSVOptions(),
    maxRecordBytes: Int = Format.maxRecordBytes
  ) {
    self.options = options
    let plan = DecodePlan(schema: schema, materialize: materialize, epochSecondColumns: epochSecondColumns)
    columns = ColumnDecoder(plan: plan, maxRecordBytes: maxRecordBytes) { fields, count in
      weir_csv_decoder_create(fields, count, maxRecordBytes, options.delimiter, options.quote)
    }
    if !options.header { setCells(Array(0..<Int32(schema.count))) }
  }

  package func decode(_ chunk: RecordChunk, prologue: [UInt8]) -> DecodedChunk {
    if options.header && self.prologue != prologue {
      self.prologue = prologue
      readHeader(prologue)
    }
    return columns.decode(chunk, headerProblem: headerProblem)
  }

  private func readHeader(_ prologue: [UInt8]) {
    let names = CSVHeader.names(in: prologue, options: options)
    let schema = columns.plan.schema
    headerProblem = CSVHeader.problem(names, schema: schema)
    setCells(names.map { Int32(schema.index(of: $0) ?? -1) })
  }

  private func setCells(_ fields: [Int32]) {
    // One more, so that there is an address even without cells.
    (fields + [-1]).withUnsafeBufferPointer {
      weir_csv_decoder_set_cells(
        columns.native, $0.baseAddress.unsafelyUnwrapped, fields.count, headerProblem != nil)
    }
  }
}

/// The first record of a CSV file: the names of its columns.
enum CSVHeader {
  /// The names in `prologue`, which is one record with what comes before it (a byte-order mark, blank lines).
  static func names(in prologue: [UInt8], options: CSVOptions) -> [String] {
    var text = prologue[...]
    if text.starts(with: [0xEF, 0xBB, 0xBF]) { text = text.dropFirst(3) }
    text = text.drop { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
    while let last = text.last, last == UInt8(ascii: "\n") || last == UInt8(ascii: "\r") { text = text.dropLast() }
    guard !text.isEmpty else { return [] }
    return cells(text, options).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func cells(_ text: ArraySlice<UInt8>, _ options: CSVOptions) -> [[UInt8]] {
    var cells: [[UInt8]] = [[]]
    var state = Int(WEIR_CSV_CELL_START)
    for byte in text {
      let isQuote = byte == options.quote
      if isQuote && state == Int(WEIR_CSV_CELL_START) {
        state = Int(WEIR_CSV_QUOTED)
      } else if isQuote && state == Int(WEIR_CSV_QUOTED) {
        state = Int(WEIR_CSV_AFTER_QUOTE)
      } else if byte == options.delimiter && state != Int(WEIR_CSV_QUOTED) {
        cells.append([])
        state = Int(WEIR_CSV_CELL_START)
      } else {
        cells[cells.count - 1].append(byte)
        state = Int(state == Int(WEIR_CSV_QUOTED) || isQuote ? WEIR_CSV_QUOTED : WEIR_CSV_UNQUOTED)
      }
    }
    return cells
  }

  /// What makes `names` no header for `schema`, or nil.
  static func problem(_ names: [String], schema: Schema) -> String? {
    if names.isEmpty { return "the file has no header: give it one, or set header: false" }
    for (index, name) in names.enumerated() where names[..<index].contains(name) && schema.index(of: name) != nil {
      return "the header names \(name) twice"
    }
    for field in schema.fields where !field.nullable && !names.contains(field.name) {
      return "the header lacks \(field.name), which is not null"
    }
    return nil
  }
}
