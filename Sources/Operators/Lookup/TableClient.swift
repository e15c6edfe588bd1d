import StreamModel

/// A table that is asked for one key at a time: a service, a database. Calls block, and come from several threads at once.
package protocol TableClient: AnyObject, Sendable {
  /// The rows of a key, with the columns of the layout; those of the key may be absent. Retries are the caller's.
  func rows(of key: [Value]) throws(TableFailure) -> RecordBatch
  /// Ends every call, now and later.
  func close()
}

/// Why a table gave no answer, with place and reason.
package struct TableFailure: Error, Equatable, Sendable, CustomStringConvertible {
  package enum Kind: Sendable {
    /// It does not answer, or not now: another request may help.
    case unavailable
    /// It answers what makes no sense, or refuses.
    case wrong
  }
  package let kind: Kind
  package let description: String

  package init(_ kind: Kind, _ description: String) {
    self.kind = kind
    self.description = description
  }
}
