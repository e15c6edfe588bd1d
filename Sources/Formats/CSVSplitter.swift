import CSimdJSON

/// Finds where CSV records end: at line ends outside quotes.
///
/// A record beyond `maxRecordBytes`, such as what follows an unclosed quote, is given away in pieces (`isFragment`).
package struct CSVSplitter: RecordSplitter {
  private let options: CSVOptions
  private let maxRecordBytes: Int
  /// Where the scan stands at the end of what it has seen: a `WEIR_CSV_` state.
  private var state = UInt8(WEIR_CSV_CELL_START)
  private var isInsideRecord = false
  /// What follows the end of a fragment was given before, but not looked at.
  private var rescans = false
  package private(set) var isFragment = false

  package init(options: CSVOptions = CSVOptions(), maxRecordBytes: Int = Format.maxRecordBytes) {
    self.options = options
    self.maxRecordBytes = maxRecordBytes
  }

  package mutating func lastRecordEnd(in bytes: UnsafeBufferPointer<UInt8>, scanned: Int, isAtEnd: Bool) -> Int {
    guard let start = bytes.baseAddress else { return 0 }
    let from = rescans ? 0 : scanned
    rescans = false
    if isInsideRecord { return fragmentEnd(in: bytes, start, from, isAtEnd) }
    isFragment = false
    let end = weir_csv_last_record_end(start, from, bytes.count, options.delimiter, options.quote, &state)
    if isAtEnd { return bytes.count }
    guard end == 0, bytes.count > maxRecordBytes else { return end }
    isInsideRecord = true
    isFragment = true
    return bytes.count
  }

  private mutating func fragmentEnd(
    in bytes: UnsafeBufferPointer<UInt8>, _ start: UnsafePointer<UInt8>, _ from: Int, _ isAtEnd: Bool
  ) -> Int {
    isFragment = true
    let end = weir_csv_first_record_end(start, from, bytes.count, options.delimiter, options.quote, &state)
    if end > 0 {
      isInsideRecord = false
      rescans = true
      return end
    }
    return isAtEnd || bytes.count > maxRecordBytes ? bytes.count : 0
  }

  package var hasPrologue: Bool { options.header }

  package func prologueLength(in bytes: UnsafeBufferPointer<UInt8>, isAtEnd: Bool) -> Int? {
    guard options.header, let start = bytes.baseAddress else { return isAtEnd || !options.header ? 0 : nil }
    var from = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    while from < bytes.count, bytes[from] == UInt8(ascii: "\n") || bytes[from] == UInt8(ascii: "\r") { from += 1 }
    var state = UInt8(WEIR_CSV_CELL_START)
    let end = weir_csv_first_record_end(start, from, bytes.count, options.delimiter, options.quote, &state)
    if end > 0 { return end }
    // A header whose quote is never closed would take the whole file with it.
    if isAtEnd && state == UInt8(WEIR_CSV_QUOTED) { return nil }
    return isAtEnd || bytes.count > maxRecordBytes ? bytes.count : nil
  }
}
