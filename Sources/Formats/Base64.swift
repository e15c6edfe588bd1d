import CSimdJSON

/// Bytes as text (RFC 4648, the standard alphabet, padded).
package enum Base64 {
  package static func encode(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
    let length = (bytes.count + 2) / 3 * 4
    return [UInt8](unsafeUninitializedCapacity: length) { buffer, count in
      guard let target = buffer.baseAddress else { return }
      count = weir_base64_encode(bytes.baseAddress, bytes.count, target)
    }
  }

  package static func encode(_ bytes: [UInt8]) -> String {
    bytes.withUnsafeBufferPointer { String(decoding: encode($0), as: UTF8.self) }
  }

  /// The bytes that `text` stands for; nil unless it is exactly what `encode` writes for them.
  package static func decode(_ text: UnsafeBufferPointer<UInt8>) -> [UInt8]? {
    var isValid = true
    let bytes = [UInt8](unsafeUninitializedCapacity: text.count / 4 * 3 + 1) { buffer, count in
      guard let target = buffer.baseAddress else { return }
      let decoded = weir_base64_decode(text.baseAddress, text.count, target)
      isValid = decoded >= 0
      count = max(decoded, 0)
    }
    return isValid ? bytes : nil
  }

  package static func decode(_ text: String) -> [UInt8]? {
    var text = text
    return text.withUTF8 { decode($0) }
  }
}
