/// One thing wrong with an expression's text.
package struct ExpressionFault: Error, Hashable, Sendable {
  /// Where, in UTF-8 bytes from the start of the text.
  package let offset: Int
  package let length: Int
  /// What is wrong: `no column "acount_id"`.
  package let message: String
  /// How to mend it: `did you mean account_id?`.
  package let mend: String

  package init(offset: Int, length: Int, message: String, mend: String) {
    self.offset = offset
    self.length = length
    self.message = message
    self.mend = mend
  }
}

/// The outcome of checking a text: what it means, or everything that is wrong with it.
package enum Checked<Meaning: Sendable>: Sendable {
  case valid(Meaning)
  case faults([ExpressionFault])
}
