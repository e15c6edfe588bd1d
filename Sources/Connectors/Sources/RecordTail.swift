import Formats

/// Finds the end of a record that is too long to be held: sees all of its bytes, piece by piece.
///
/// A record ends behind a line feed; in CSV only behind one that is not inside quotes.
struct RecordTail {
  private let quote: UInt8?
  private var isQuoted = false

  init(_ format: Format) {
    if case .csv(let options) = format { quote = options.quote } else { quote = nil }
  }

  /// Takes note of the record's first bytes, in which it does not end.
  mutating func pass(over piece: UnsafeBufferPointer<UInt8>) {
    guard let quote else { return }
    for byte in piece where byte == quote { isQuoted.toggle() }
  }

  /// The length of the part of `piece` that belongs to the record, its line end included; nil when all does and more follows.
  mutating func end(in piece: UnsafeBufferPointer<UInt8>) -> Int? {
    for index in 0..<piece.count {
      let byte = piece[index]
      if byte == UInt8(ascii: "\n") && !isQuoted { return index + 1 }
      if byte == quote { isQuoted.toggle() }
    }
    return nil
  }
}
