import CRocksDB

#if canImport(Glibc)
  import Glibc
#endif

/// What RocksDB says went wrong: a disk that is full or broken, or damaged files. Never the user's input.
///
/// https://github.com/facebook/rocksdb/wiki/Basic-Operations#status
package struct RocksError: Error, Equatable, Sendable, CustomStringConvertible {
  package let description: String

  package init(_ description: String) { self.description = description }

  /// What the system says of a call that failed, by `errno`.
  init(system what: String) { description = "\(what): \(String(cString: strerror(errno)))" }

  /// What a message begins with when the call may do better soon (`Status::TryAgain`). The C API gives nothing but the message.
  package static let tryAgain = "Operation failed. Try again."

  /// Whether the call may do better soon.
  package var asksToTryAgain: Bool { description.hasPrefix(RocksError.tryAgain) }

  /// Calls a C function that reports an error as a message to be freed.
  static func checked<Result>(_ body: (UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> Result) throws(RocksError)
    -> Result
  {
    var message: UnsafeMutablePointer<CChar>?
    let result = body(&message)
    guard let message else { return result }
    defer { rocksdb_free(message) }
    throw RocksError(String(cString: message))
  }
}
