import StreamModel

/// What somebody may do.
package enum Role: String, Sendable, CaseIterable, Codable {
  /// Everything.
  case `operator`
  /// Reads topologies and views, personal fields as tokens.
  case analyst
  /// Reads the rows of one account in views, and nothing else.
  case portal
}

/// Who asks.
package struct Identity: Sendable {
  package let subject: String
  package let role: Role
  /// Of the portal: the one account whose rows it sees.
  package let account: String?
  /// Until when this holds, in wall-clock ms since 1970; nil for ever.
  package let expiresAt: Int64?

  package init(subject: String, role: Role, account: String? = nil, expiresAt: Int64? = nil) {
    self.subject = subject
    self.role = role
    self.account = account
    self.expiresAt = expiresAt
  }

  /// Answers that go on for long end when this is so.
  package var hasExpired: Bool { expiresAt.map { $0 <= Clock.wallMilliseconds() } ?? false }

  /// Everyone, where a runner asks for no tokens.
  package static let anonymous = Identity(subject: "anonymous", role: .operator)
}
