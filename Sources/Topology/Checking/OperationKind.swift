import Operators

/// The operations of the language, by their keys.
enum OperationKind: String, CaseIterable {
  case filter, select, extend, deduplicate, aggregate, join, lookup, match, rate

  static let names = allCases.map(\.rawValue)

  /// Outputs beside the main one.
  var ports: [SidePort] {
    switch self {
    case .filter, .rate: [.rejected]
    case .select, .extend: []
    case .deduplicate: [.duplicates, .late]
    case .aggregate, .join: [.late]
    case .lookup: [.missing]
    case .match: [.timedOut, .late]
    }
  }

  /// What to do in this version, which lacks the operation; nil where it has it.
  var substitute: String? {
    switch self {
    case .rate: "compute amounts with `extend`, or take the step out"
    case .filter, .select, .extend, .deduplicate, .aggregate, .join, .lookup, .match: nil
    }
  }
}
