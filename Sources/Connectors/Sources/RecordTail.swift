import Formats

/// Finds the end of a record that is too long to be held, window by window.
struct RecordTail {
  /// The size of the windows `take` is given, but for the last of a file.
  static let windowBytes = (1 << 18) + 1

  private var splitter: any RecordSplitter
  private(set) var hasEnded = false

  /// - Parameter piece: The record's first bytes, in which it does not end.
  init(_ format: Format, prologue: [UInt8], after piece: UnsafeBufferPointer<UInt8>) {
    // A splitter gives pieces away only beyond its bound.
    let bound = min(piece.count, RecordTail.windowBytes) - 1
    splitter = format.makeSplitter(prologue: prologue, maxRecordBytes: bound)
    _ = splitter.lastRecordEnd(in: piece, scanned: 0, isAtEnd: false)
  }

  /// How many of the next bytes belong to the record; afterwards `hasEnded` says whether more may follow.
  mutating func take(_ window: UnsafeBufferPointer<UInt8>, isAtEnd: Bool) -> Int {
    let end = splitter.lastRecordEnd(in: window, scanned: 0, isAtEnd: isAtEnd)
    // Where it ended with the window before, this one holds records as usual.
    guard splitter.isFragment else {
      hasEnded = true
      return 0
    }
    hasEnded = end < window.count
    return end
  }
}
