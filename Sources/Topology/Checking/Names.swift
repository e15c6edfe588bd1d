/// The names a topology gives to things.
enum Names {
  static let longest = 63

  /// `[a-z0-9-]{1,63}`: a topology's, which names directories and consumer groups.
  static func isTopologyName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= longest
      && text.utf8.allSatisfy {
        ($0 >= UInt8(ascii: "a") && $0 <= UInt8(ascii: "z")) || $0 &- 48 <= 9 || $0 == UInt8(ascii: "-")
      }
  }

  /// A source's, step's, sink's or view's: letters, digits, `_` and `-`, a letter or `_` first.
  static func isPartName(_ text: String) -> Bool {
    guard let first = text.utf8.first, text.utf8.count <= longest else { return false }
    return (isLetter(first) || first == UInt8(ascii: "_"))
      && text.utf8.allSatisfy { isLetter($0) || $0 &- 48 <= 9 || $0 == UInt8(ascii: "_") || $0 == UInt8(ascii: "-") }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    byte | 0x20 >= UInt8(ascii: "a") && byte | 0x20 <= UInt8(ascii: "z")
  }

  /// Whether a column can be called `text`: anything on one line that is not too long.
  static func isColumnName(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.count <= 128 && text.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
  }

  /// Reports a part's name that is none.
  static func checkPart(_ name: String, _ item: Item) {
    guard !isPartName(name) else { return }
    item.keyFault(
      "`\(Shown.text(name))` is no name",
      "use at most \(longest) letters, digits, `_` and `-`, with a letter or `_` first")
  }

  static func checkColumn(_ name: String, _ item: Item) -> Bool {
    if isColumnName(name) { return true }
    item.keyFault("`\(Shown.text(name))` is no column name", "use at most 128 characters on one line")
    return false
  }
}
