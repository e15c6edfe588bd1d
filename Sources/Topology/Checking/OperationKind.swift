import Operators

/// The operations of the language, by their keys.
enum OperationKind: String, CaseIterable {
  case filter, select, extend, deduplicate, aggregate, join, lookup, match, rate, invoice

  static let names = allCases.map(\.rawValue)

  /// Outputs beside the main one.
  var ports: [SidePort] {
    switch self {
    case .filter: [.rejected]
    case .select, .extend: []
    case .deduplicate: [.duplicates, .late]
    case .aggregate, .join, .invoice: [.late]
    case .lookup: [.missing]
    case .match: [.timedOut, .late]
    case .rate: [.rejected, .late]
    }
  }
}
