import Operators

/// `connector: http` as a table: one GET a key, answered in JSON.
package struct HTTPTableSpec: Sendable {
  /// Text with values of the key in it.
  package struct Template: Hashable, Sendable {
    package enum Part: Hashable, Sendable {
      case text(String)
      /// The value of the key's column of this number.
      case key(Int)
    }
    package let parts: [Part]
    /// As it was written.
    package let text: String

    package init(parts: [Part], text: String) {
      self.parts = parts
      self.text = text
    }

    /// The text with values put in; `value` says how one is written.
    func filled(_ value: (Int) -> String) -> String {
      parts.map { part in
        switch part {
        case .text(let text): text
        case .key(let number): value(number)
        }
      }.joined()
    }
  }

  package let url: Template
  /// Sent with each request; values may be secret.
  package var headers: [(name: String, value: String)] = []
  /// How long one request may take.
  package var timeoutMilliseconds: Int64 = 5_000
  package var retry = RetryPolicy()
  package var breaker = BreakerPolicy()
  /// Where the answer's rows stand: names of members, one inside the other; empty for the answer itself.
  package var rows: [Template] = []
  /// Where in a row a column stands, for those that are no members of its own name.
  package var columns: [String: [Template]] = [:]

  package init(url: Template) { self.url = url }
}
