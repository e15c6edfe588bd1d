/// What PostgreSQL or the way to it refused.
package struct PostgresError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The message, one line.
  package let description: String
  /// SQLSTATE; empty where the server was not reached.
  package let code: String
  /// Whether trying again later may help: no connection, a server that starts or stops, a lack of resources.
  package let isRetriable: Bool

  package init(_ description: String, code: String, isRetriable: Bool) {
    self.description = description
    self.code = code
    self.isRetriable = isRetriable
  }
}
