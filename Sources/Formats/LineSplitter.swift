import CSimdJSON

/// Finds where lines end. Every line is a record, of JSON as of `raw`.
///
/// A line beyond `maxRecordBytes` is given away in pieces (`isFragment`), so that no line need fit in memory.
package struct LineSplitter: RecordSplitter {
  private let maxRecordBytes: Int
  private var isInsideRecord = false
  /// What follows the end of a fragment was given before, but not looked at.
  private var rescans = false
  package private(set) var isFragment = false

  package init(maxRecordBytes: Int = Format.maxRecordBytes) { self.maxRecordBytes = maxRecordBytes }

  package mutating func lastRecordEnd(in bytes: UnsafeBufferPointer<UInt8>, scanned: Int, isAtEnd: Bool) -> Int {
    let scanned = rescans ? 0 : scanned
    rescans = false
    if isInsideRecord { return fragmentEnd(in: bytes, scanned: scanned, isAtEnd: isAtEnd) }
    isFragment = false
    if isAtEnd { return bytes.count }
    guard let start = bytes.baseAddress else { return 0 }
    let last = weir_last_index(start + scanned, bytes.count - scanned, UInt8(ascii: "\n"))
    if last >= 0 { return scanned + last + 1 }
    guard bytes.count > maxRecordBytes else { return 0 }
    isInsideRecord = true
    isFragment = true
    return bytes.count
  }

  /// The end of the record that was begun, or of another piece of it.
  private mutating func fragmentEnd(in bytes: UnsafeBufferPointer<UInt8>, scanned: Int, isAtEnd: Bool) -> Int {
    isFragment = true
    if let newline = bytes[scanned...].firstIndex(of: UInt8(ascii: "\n")) {
      isInsideRecord = false
      rescans = true
      return newline + 1
    }
    return isAtEnd || bytes.count > maxRecordBytes ? bytes.count : 0
  }

  package var hasPrologue: Bool { false }
  package func prologueLength(in bytes: UnsafeBufferPointer<UInt8>, isAtEnd: Bool) -> Int? { 0 }
}

/// Finds where JSON records end.
package typealias JSONSplitter = LineSplitter
