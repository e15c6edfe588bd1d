import Crypto
import Foundation
import Glibc

/// Shows personal values as tokens: the same value is always the same token, and only who has the key can tell which.
///
/// HMAC-SHA-256 of the value, its first 128 bits as hexadecimal digits.
package struct PersonalTokens: Sendable {
  private let key: SymmetricKey
  private static let keyBytes = 32
  private static let shownBytes = 16

  package init(key: [UInt8]) { self.key = SymmetricKey(data: key) }

  /// The key in a file, made where there is none, for its owner alone to read.
  package init(file: String) throws {
    if let bytes = try DurableFile.read(file) {
      guard bytes.count >= PersonalTokens.keyBytes else {
        throw Problem(.failed, "\(file): a key has \(PersonalTokens.keyBytes) bytes at least, not \(bytes.count)")
      }
      self.init(key: bytes)
      return
    }
    let bytes = SymmetricKey(size: .bits256).withUnsafeBytes { [UInt8]($0) }
    try DurableFile.write(bytes, to: file, mode: 0o600)
    self.init(key: bytes)
  }

  /// Of cursors, which hold keys of rows.
  var cursors: ScanCursors {
    ScanCursors(
      key: HKDF<SHA256>.deriveKey(inputKeyMaterial: key, info: Array("cursors".utf8), outputByteCount: 32))
  }

  func token(_ value: UnsafeBufferPointer<UInt8>) -> String {
    let digest = HMAC<SHA256>.authenticationCode(for: UnsafeRawBufferPointer(value), using: key)
    return "tok_" + Hexadecimal.text(Array(digest.prefix(PersonalTokens.shownBytes)))
  }
}
