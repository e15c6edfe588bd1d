import Operators
import StreamModel
import Topology

/// Makes the operator of a step.
enum OperatorFactory {
  /// - Parameter tables: The tables of lookups, by step.
  static func make(_ step: StepPlan, tables: LookupTables) -> any StreamOperator {
    switch step.operation {
    case .filter(let condition): FilterOperator(condition)
    case .project(let spec): ProjectOperator(spec)
    case .deduplicate(let spec): DeduplicateOperator(spec)
    case .aggregate(let spec): AggregateOperator.make(spec)
    case .join(let spec): JoinOperator(spec)
    case .match(let spec): MatchOperator(spec)
    case .lookup(let spec, _): LookupOperator(spec, table: tables[step.name])
    case .rate(let spec): RateOperator(spec)
    case .invoice(let spec): InvoiceOperator(spec)
    }
  }

  static func makeUnion() -> any StreamOperator { UnionOperator() }

  static func makeSort(_ schema: Schema, key: [Int]) -> any StreamOperator {
    EventTimeSortOperator(schema: schema, key: key)
  }
}
