import Expressions
import Operators
import StreamModel

/// What checking a step gave: as much as its faults leave.
struct StepOutcome {
  var operation: Operation?
  var stream: StreamShape?
  var ports: [SidePort: StreamShape] = [:]
}

/// Checks one step whose inputs are known.
struct StepChecker {
  let draft: StepDraft
  /// Nil where a fault upstream leaves it unknown.
  let input: StreamShape?
  let right: StreamShape?
  /// The directory that relative paths are relative to.
  let base: String

  func check(notes: inout [String]) -> StepOutcome {
    guard let (kind, item) = draft.operation else { return StepOutcome() }
    switch kind {
    case .filter: return filter(item)
    case .select, .extend: return ProjectChecker(item: item, input: input, keepsColumns: kind == .extend).check()
    case .deduplicate: return deduplicate(item)
    case .aggregate: return AggregateChecker(item: item, input: input).check()
    case .join: return JoinChecker(item: item, left: input, right: right).check()
    case .lookup: return LookupChecker(item: item, input: input, base: base).check(notes: &notes)
    case .match: return MatchChecker(item: item, input: input).check()
    case .rate: return RateChecker(item: item, input: input, base: base).check()
    case .invoice: return InvoiceChecker(item: item, input: input, base: base).check()
    }
  }

  private func passThrough(_ ports: [SidePort]) -> [SidePort: StreamShape] {
    guard let input else { return [:] }
    return Dictionary(uniqueKeysWithValues: ports.map { ($0, input) })
  }

  private func filter(_ item: Item) -> StepOutcome {
    guard var stream = input else {
      _ = item.scalar("a condition")
      return StepOutcome()
    }
    guard let condition = ExpressionText.scalar(item, over: stream) else {
      // Which panes pass is not known; the aggregates behind are not blamed for it.
      stream.carriesPane = false
      return StepOutcome(stream: stream, ports: [.rejected: stream])
    }
    if condition.columns.contains(where: { stream.paneColumns.contains(stream.schema[$0].name) }) {
      stream.carriesPane = false
    }
    var operation: Operation?
    if condition.type == .boolean {
      operation = .filter(condition)
    } else {
      item.fault("the condition is \(condition.type), not boolean", "compare it with something, as in `quantity > 0`")
    }
    return StepOutcome(operation: operation, stream: stream, ports: [.rejected: stream])
  }

  private func deduplicate(_ item: Item) -> StepOutcome {
    let ports = passThrough([.duplicates, .late])
    guard let section = item.section(["key", "within"], expected: "{key: [record_id], within: 24h}") else {
      return StepOutcome(stream: input, ports: ports)
    }
    let within = section.required("within", "how long a key is remembered: within: 24h")?.duration(atLeast: 1)
    let key = section.required("key", "the columns that tell records apart: key: [record_id]")
    guard let input else { return StepOutcome() }
    let columns = key.map(input.columns)
    let isEmpty = columns.map { $0.isComplete && $0.indices.isEmpty } ?? false
    if let key, isEmpty { key.fault("is empty", "list the columns that tell records apart: key: [record_id]") }
    if !input.hasEventTime {
      item.keyFault("the stream has no event time, which `within` counts in", "give the source an event_time")
      return StepOutcome(stream: input, ports: ports)
    }
    guard let within, let columns, columns.isComplete, !isEmpty else { return StepOutcome(stream: input, ports: ports) }
    let spec = DeduplicateSpec(key: columns.indices, withinMilliseconds: within)
    return StepOutcome(operation: .deduplicate(spec), stream: input, ports: ports)
  }
}
