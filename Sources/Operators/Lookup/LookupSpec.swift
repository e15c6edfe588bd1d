import Expressions
import StreamModel

/// `lookup`: adds columns of a table to the rows of a stream.
package struct LookupSpec: Sendable {
  /// What becomes of a row for which the table has nothing.
  package enum Missing: String, Sendable {
    /// It goes to the port `missing`.
    case port
    /// It goes on, the taken columns null.
    case null
    /// It ends the job.
    case fail
  }

  /// One output column.
  package enum Item: Hashable, Sendable {
    /// A column of the input, as it is.
    case input(Int)
    /// The taken column of this number.
    case taken(Int)
  }

  /// At which time a version of the table's row has to be valid.
  package struct AsOf: Hashable, Sendable {
    /// A timestamp column of the input.
    package let column: Int
    /// How long ago a version may have begun; nil for any time.
    package let maxAgeMilliseconds: Int64?
    package init(column: Int, maxAgeMilliseconds: Int64? = nil) {
      self.column = column
      self.maxAgeMilliseconds = maxAgeMilliseconds
    }
  }

  /// Columns of the input, in the order of the table's key columns.
  package let key: [Int]
  package let asOf: AsOf?
  package let layout: TableLayout
  package let items: [Item]
  package let missing: Missing
  package let outputSchema: Schema
  /// Of a table that is asked: what is kept of it, and how many requests may be under way at once.
  package let cache: CachePolicy
  package let capacity: Int
  package static let capacityDefault = 16

  package init(
    key: [Int], asOf: AsOf?, layout: TableLayout, items: [Item], missing: Missing, outputSchema: Schema,
    cache: CachePolicy = .none, capacity: Int = capacityDefault
  ) {
    self.cache = cache
    self.capacity = capacity
    self.key = key
    self.asOf = asOf
    self.layout = layout
    self.items = items
    self.missing = missing
    self.outputSchema = outputSchema
  }
}

/// The columns of a table that a lookup reads, and what each is for.
package struct TableLayout: Sendable {
  package let schema: Schema
  /// The columns that are looked up by; of the stream's types, not null.
  package let key: [Int]
  /// Timestamp columns between which (the first included) a row is valid; nil where a key has one row.
  package let validity: Validity?
  /// The columns that rows of the stream are given, in the order of `LookupSpec.Item.taken`.
  package let taken: [Int]
  /// Whether rows without a counterpart are given nulls.
  package let givesNulls: Bool
  /// What must be true of every row of the table, over `schema`; nil for nothing.
  package let check: ScalarExpression?

  package struct Validity: Hashable, Sendable {
    package let from: Int
    package let to: Int
    package init(from: Int, to: Int) {
      self.from = from
      self.to = to
    }
  }

  package init(
    schema: Schema, key: [Int], validity: Validity?, taken: [Int], givesNulls: Bool, check: ScalarExpression? = nil
  ) {
    self.check = check
    self.schema = schema
    self.key = key
    self.validity = validity
    self.taken = taken
    self.givesNulls = givesNulls
  }
}
