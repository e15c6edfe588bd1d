import Crypto
import Foundation

/// Places in scans, as text that tells nothing of them: the key where a page ends may be that of a row which its reader must not see.
///
/// AES-GCM, bound to the scan's view and to whose rows its reader sees: a cursor that was made up, or is of another view or another
/// account's reader, is refused.
struct ScanCursors: Sendable {
  /// What a cursor belongs to.
  struct Scan: Sendable {
    let topology: String
    let view: String
    /// Nil where the reader sees all accounts.
    let account: String?

    fileprivate var bytes: [UInt8] {
      Array("\(topology)/\(view)/\(account == nil ? "all" : "one")/\(account ?? "")".utf8)
    }
  }

  private let key: SymmetricKey

  init(key: SymmetricKey) { self.key = key }

  func text(_ place: [UInt8], of scan: Scan) throws -> String {
    let box = try AES.GCM.seal(place, using: key, authenticating: scan.bytes)
    return (box.combined ?? Data()).base64EncodedString()
      .replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
  }

  func place(_ text: String, of scan: Scan) throws(Problem) -> [UInt8] {
    var padded = text.replacing("-", with: "+").replacing("_", with: "/")
    padded += String(repeating: "=", count: (4 - padded.count % 4) % 4)
    guard let bytes = Data(base64Encoded: padded), let box = try? AES.GCM.SealedBox(combined: bytes),
      let place = try? AES.GCM.open(box, using: key, authenticating: scan.bytes)
    else { throw Problem(.badRequest, "cursor: is none of this scan's") }
    return [UInt8](place)
  }
}
