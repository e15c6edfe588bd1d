import StreamModel

/// What a view is: the latest row of each key of a stream, kept so that readers beside the stream can ask for it.
package struct ViewDefinition: Sendable {
  package let name: String
  package let schema: Schema
  /// The columns that tell rows apart, in the order in which rows are sorted and scanned.
  package let key: [Int]
  /// The columns by whose hash rows are shared out over subtasks: all rows of a key meet in one.
  package let partitionKey: [Int]
  /// Whether rows have an event time; those of others have the time of their arrival.
  package let hasEventTime: Bool
  /// How long after its time a row is kept at least; nil for ever.
  package let retainMilliseconds: Int64?
  /// The column that says whose row it is; nil where rows are nobody's in particular.
  package let account: Int?
  /// Personal columns, which are shown as tokens to readers that need not know them.
  package let masked: [Int]

  package init(
    name: String, schema: Schema, key: [Int], partitionKey: [Int], hasEventTime: Bool = true,
    retainMilliseconds: Int64? = nil,
    account: Int? = nil, masked: [Int] = []
  ) {
    self.name = name
    self.schema = schema
    self.key = key
    self.partitionKey = partitionKey
    self.hasEventTime = hasEventTime
    self.retainMilliseconds = retainMilliseconds
    self.account = account
    self.masked = masked
  }

  /// The name of its state: no step can be called so.
  package var stateName: String { ViewDefinition.stateName(name) }
  package static func stateName(_ view: String) -> String { "views.\(view)" }
  package static func isStateName(_ name: String) -> Bool { name.hasPrefix("views.") }
  package static let role = "view"
}

/// Why a view gives no answer.
package enum ViewError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The reader asked for something that cannot be: a key of another type, a cursor that is none.
  case request(String)
  /// The reader may not see what was asked for.
  case forbidden(String)
  /// It cannot be read now, and may be soon.
  case unavailable(String)

  package var description: String {
    switch self {
    case .request(let reason), .forbidden(let reason), .unavailable(let reason): reason
    }
  }
}
