import Operators
import StreamModel

/// Checks `join`.
struct JoinChecker {
  let item: Item
  let left: StreamShape?
  let right: StreamShape?

  private struct Pair {
    let left: Int
    let right: Int
  }

  func check() -> StepOutcome {
    let expected = "{with: other, on: [account_id], between: [-5m, 10m]}"
    guard let section = item.section(["with", "on", "between", "type"], expected: expected) else {
      return StepOutcome()
    }
    let kind = section["type"].map { $0.choice(["inner", "left"]).flatMap(JoinSpec.Kind.init(rawValue:)) } ?? .inner
    let bounds = section.required("between", "how far apart the rows may be: between: [-5m, 10m]").flatMap(readBounds)
    _ = section.required("with", "the source or step to join with")
    let on = section.required("on", "the shared key columns: on: [account_id], or a map left: right")
    guard let left, let right else { return StepOutcome() }
    checkInputs(left, right, section)
    guard let on, let pairs = readPairs(on, left, right) else { return StepOutcome() }
    var outcome = StepOutcome()
    let columns = rightColumns(pairs, left, right)
    outcome.stream = joined(left, right, columns, isLeft: kind == .left)
    // Late rows of both sides meet on one port; it can be read where they have the same columns.
    if left.schema == right.schema { outcome.ports[.late] = left }
    guard let kind, let bounds, let schema = outcome.stream?.schema else { return outcome }
    outcome.operation = .join(
      JoinSpec(
        kind: kind, leftKey: pairs.map(\.left), rightKey: pairs.map(\.right), lowerMilliseconds: bounds.lower,
        upperMilliseconds: bounds.upper, rightColumns: columns, outputSchema: schema))
    return outcome
  }

  private func checkInputs(_ left: StreamShape, _ right: StreamShape, _ section: Section) {
    for (stream, side, item) in [(left, "left", item), (right, "right", section["with"] ?? item)]
    where !stream.hasEventTime {
      item.keyFault("the \(side) stream has no event time, which `between` counts in", "give its source an event_time")
    }
  }

  private func readBounds(_ item: Item) -> (lower: Int64, upper: Int64)? {
    guard case .sequence(let nodes) = item.node.content, nodes.count == 2 else {
      item.fault("is not two durations", "write the earliest and the latest distance of the right row: [-5m, 10m]")
      return nil
    }
    let bounds = item.elements.map { $0.signedDuration() }
    guard let lower = bounds[0], let upper = bounds[1] else { return nil }
    guard lower <= upper else {
      let (first, second) = (Durations.format(lower), Durations.format(upper))
      item.fault("the lower bound \(first) is above the upper bound \(second)", "write [\(second), \(first)]")
      return nil
    }
    return (lower, upper)
  }

  // MARK: Keys

  private func readPairs(_ item: Item, _ left: StreamShape, _ right: StreamShape) -> [Pair]? {
    var pairs: [Pair?] = []
    if case .mapping = item.node.content {
      for (name, value) in item.openSection(expected: "")?.items ?? [] {
        let key = Item(
          node: DocumentNode(place: value.keyPlace, content: .scalar(DocumentScalar(name, style: .singleQuoted))),
          keyPlace: value.keyPlace, path: value.path, faults: value.faults)
        pairs.append(pair(key, value, left, right))
      }
    } else if !item.isEmpty {
      pairs = item.elements.map { pair($0, $0, left, right) }
    }
    guard !pairs.isEmpty else {
      item.fault("names no column", "list the shared key columns: on: [account_id]")
      return nil
    }
    let found = pairs.compactMap { $0 }
    return found.count == pairs.count && areDistinct(found, item, left) ? found : nil
  }

  private func areDistinct(_ pairs: [Pair], _ item: Item, _ left: StreamShape) -> Bool {
    let isDistinct = Set(pairs.map(\.left)).count == pairs.count && Set(pairs.map(\.right)).count == pairs.count
    if !isDistinct { item.fault("names a column twice", "name each key column once") }
    return isDistinct
  }

  private func pair(_ leftItem: Item, _ rightItem: Item, _ left: StreamShape, _ right: StreamShape) -> Pair? {
    guard let leftColumn = side(leftItem, left, "left"), let rightColumn = side(rightItem, right, "right") else {
      return nil
    }
    let (first, second) = (left.schema[leftColumn], right.schema[rightColumn])
    guard first.type == second.type else {
      rightItem.fault(
        "the key is \(first.type) on the left and \(second.type) on the right",
        "make the types equal before, with `extend` and cast")
      return nil
    }
    return Pair(left: leftColumn, right: rightColumn)
  }

  private func side(_ item: Item, _ stream: StreamShape, _ side: String) -> Int? {
    guard let scalar = item.scalar("a column's name") else { return nil }
    if let column = stream.schema.index(of: scalar.text) { return column }
    if !stream.opaque.contains(scalar.text) {
      let mend = NearestName.suggestion(for: scalar.text, among: stream.columnNames, otherwise: "add the column")
      item.fault("there is no column `\(scalar.shown)` on the \(side) side", mend)
    }
    return nil
  }

  // MARK: Columns out

  /// The right's columns that come out: all but keys that have the left key's name. Other shared names are faults.
  private func rightColumns(_ pairs: [Pair], _ left: StreamShape, _ right: StreamShape) -> [Int] {
    let sharedKeys = Set(pairs.filter { left.schema[$0.left].name == right.schema[$0.right].name }.map(\.right))
    let columns = right.schema.fields.indices.filter { !sharedKeys.contains($0) }
    let clashes = columns.map { right.schema[$0].name }.filter {
      left.schema.index(of: $0) != nil || left.opaque.contains($0)
    }
    if !clashes.isEmpty {
      item.keyFault(
        "both sides have \(clashes.count == 1 ? "a column" : "columns") \(Shown.alternatives(clashes.map { "`\($0)`" }, "and")) beside the key",
        "rename \(clashes.count == 1 ? "it" : "them") on one side with a `select` before the join")
    }
    return columns
  }

  private func joined(_ left: StreamShape, _ right: StreamShape, _ columns: [Int], isLeft: Bool) -> StreamShape {
    let fields = columns.map { index in
      let field = right.schema[index]
      return Field(field.name, field.type, nullable: field.nullable || isLeft)
    }
    var stream = left
    stream.schema = Schema(left.schema.fields + fields)
    stream.opaque.formUnion(right.opaque)
    stream.hasEventTime = true
    stream.carriesPane = left.carriesPane || right.carriesPane
    stream.paneColumns.formUnion(right.paneColumns)
    stream.isUpdating = left.isUpdating || right.isUpdating
    return stream
  }
}
