import StreamModel

/// Base64 as of RFC 4648, section 4, with padding.
enum Base64 {
  private static let alphabet = [UInt8]("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)

  static func encodedLength(_ count: Int) -> Int { (count + 2) / 3 * 4 }

  /// Writes `encodedLength(bytes.count)` bytes.
  static func encode(_ bytes: UnsafeBufferPointer<UInt8>, to target: UnsafeMutablePointer<UInt8>) {
    alphabet.withUnsafeBufferPointer { alphabet in
      var cursor = target
      var index = 0
      while index < bytes.count {
        let left = bytes.count - index
        var group = UInt32(bytes[index]) << 16
        if left > 1 { group |= UInt32(bytes[index + 1]) << 8 }
        if left > 2 { group |= UInt32(bytes[index + 2]) }
        cursor[0] = alphabet[Int(group >> 18)]
        cursor[1] = alphabet[Int(group >> 12 & 63)]
        cursor[2] = left > 1 ? alphabet[Int(group >> 6 & 63)] : UInt8(ascii: "=")
        cursor[3] = left > 2 ? alphabet[Int(group & 63)] : UInt8(ascii: "=")
        cursor += 4
        index += 3
      }
    }
  }

  static func encode(_ bytes: [UInt8]) -> String {
    String(unsafeUninitializedCapacity: encodedLength(bytes.count)) { target in
      guard let start = target.baseAddress else { return 0 }
      bytes.withUnsafeBufferPointer { encode($0, to: start) }
      return encodedLength(bytes.count)
    }
  }
}
