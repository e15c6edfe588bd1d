import Expressions
import Operators
import StreamModel

/// Checks `aggregate`.
struct AggregateChecker {
  let item: Item
  let input: StreamShape?

  private static let keys = ["key", "window", "values", "allowed_lateness", "emit"]

  /// When results are given before a window closes.
  private struct Emission {
    var early: Int64?
    var every: Int64 = 1000
  }

  func check() -> StepOutcome {
    guard let section = item.section(AggregateChecker.keys, expected: "{key, window, values}") else {
      return StepOutcome()
    }
    let windowItem = section["window"]
    let hasWindow = windowItem != nil
    let lateness = readLateness(section, hasWindow: hasWindow)
    let emission = readEmission(section, hasWindow: hasWindow)
    let window = windowItem.map { WindowChecker(item: $0, input: input).check() } ?? .some(.none)
    let values = section.required("values", "the columns to compute: values: {records: count(*)}")
    guard let input else {
      checkNames(of: values)
      return StepOutcome()
    }
    checkInput(input, windowItem)
    let key = section["key"].map(input.columns) ?? NamedColumns()
    let hasPane = hasWindow && (lateness == nil || lateness ?? 0 > 0 || emission == nil || emission?.early != nil)
    let columns = readValues(values, input, taken: taken(key.indices, input, windowItem, section, hasPane: hasPane))
    return outcome(input, key, window, columns, lateness, emission, hasWindow: hasWindow, hasPane: hasPane)
  }

  private func outcome(
    _ input: StreamShape, _ key: NamedColumns, _ window: WindowSpec?, _ columns: Columns, _ lateness: Int64?,
    _ emission: Emission?, hasWindow: Bool, hasPane: Bool
  ) -> StepOutcome {
    var fields = key.indices.map { input.schema[$0] }
    if hasWindow { fields += ["window_start", "window_end"].map { Field($0, .timestamp, nullable: false) } }
    fields += columns.fields
    if hasPane { fields.append(Field("pane", .string, nullable: false)) }
    var stream = StreamShape(schema: Schema(fields), opaque: columns.opaque.union(key.unknown), hasEventTime: hasWindow)
    stream.isUpdating = !hasWindow
    stream.carriesPane = hasPane
    stream.paneColumns = hasPane ? ["pane"] : []
    var result = StepOutcome(stream: stream, ports: hasWindow ? [.late: input] : [:])
    guard let window, let lateness, let emission, columns.isComplete, key.isComplete else { return result }
    result.operation = .aggregate(
      AggregateSpec(
        key: key.indices, window: window, values: columns.values, allowedLatenessMilliseconds: lateness,
        earlyMilliseconds: emission.early, everyMilliseconds: emission.every, outputSchema: stream.schema))
    return result
  }

  // MARK: Input

  /// Streams that must not be aggregated as they are.
  private func checkInput(_ input: StreamShape, _ window: Item?) {
    if let window, !input.hasEventTime {
      window.keyFault(
        "the stream has no event time, which windows count in", "give the source an event_time, or leave the window out"
      )
    }
    if input.carriesPane {
      let column = input.paneColumns.sorted().first
      item.keyFault(
        "the stream carries `pane`: its results come several times and would be counted each time",
        column.map { "filter it before, as in `filter: \($0) = 'on_time'`" }
          ?? "filter on `pane` before the column is dropped")
    }
    if input.isUpdating {
      item.keyFault(
        "the stream holds the updates of a running aggregate, which would be counted each time",
        "aggregate what the running aggregate reads, or give that a window")
    }
  }

  // MARK: Settings

  private func readLateness(_ section: Section, hasWindow: Bool) -> Int64? {
    guard let item = section["allowed_lateness"] else { return 0 }
    let lateness = item.duration()
    guard hasWindow else {
      item.keyFault("a running aggregate has no windows that could be late", "remove it, or add a window")
      return nil
    }
    return lateness
  }

  private func readEmission(_ section: Section, hasWindow: Bool) -> Emission? {
    guard let item = section["emit"] else { return Emission() }
    let expected = hasWindow ? "{early: 10s}" : "{every: 1s}"
    guard let emit = item.section(["early", "every"], expected: expected) else { return nil }
    let early = emit["early"].map { $0.duration(atLeast: 1) }
    let every = emit["every"].map { $0.duration(atLeast: 1) }
    var isFaulty = early == .some(nil) || every == .some(nil)
    if hasWindow, let item = emit["every"] {
      item.keyFault("belongs to aggregates without a window", "use `early` for results before a window closes")
      isFaulty = true
    }
    if !hasWindow, let item = emit["early"] {
      item.keyFault("belongs to aggregates with a window", "use `every`, or add a window")
      isFaulty = true
    }
    return isFaulty ? nil : Emission(early: early ?? nil, every: (every ?? nil) ?? 1000)
  }

  // MARK: Columns

  private struct Columns {
    var values: [AggregateSpec.Value] = []
    var fields: [Field] = []
    var opaque: Set<String> = []
    var isComplete = true
  }

  private func checkNames(of values: Item?) {
    guard let section = values?.openSection(expected: "columns and aggregates, such as {records: count(*)}") else {
      return
    }
    for (name, item) in section.items { _ = Names.checkColumn(name, item) }
  }

  /// Names that values cannot have, each with its reason.
  private func taken(
    _ key: [Int], _ input: StreamShape, _ window: Item?, _ section: Section, hasPane: Bool
  ) -> [String: String] {
    var taken: [String: String] = [:]
    if window != nil {
      for name in ["window_start", "window_end"] { taken[name] = "a column that every window gives" }
    }
    if hasPane { taken["pane"] = "the column that `emit.early` and `allowed_lateness` give" }
    for column in key {
      let name = input.schema[column].name
      if let reason = taken[name] {
        section["key"]?.fault("the key column `\(name)` has the name of \(reason)", "rename it before with a `select`")
      }
      taken[name] = "a key column"
    }
    return taken
  }

  private func readValues(_ values: Item?, _ input: StreamShape, taken: [String: String]) -> Columns {
    var columns = Columns()
    guard let values, let section = values.openSection(expected: "columns and aggregates, such as {records: count(*)}")
    else {
      columns.isComplete = false
      return columns
    }
    if section.entries.isEmpty {
      values.keyFault("names no column", "write what to compute, such as {records: count(*)}")
      columns.isComplete = false
    }
    for (name, item) in section.items {
      if Names.checkColumn(name, item), let reason = taken[name] {
        item.keyFault("`\(Shown.text(name))` is the name of \(reason)", "choose another name")
      }
      guard let expression = ExpressionText.aggregate(item, over: input) else {
        columns.opaque.insert(name)
        columns.isComplete = false
        continue
      }
      columns.values.append(AggregateSpec.Value(name: name, expression: expression))
      columns.fields.append(Field(name, expression.type, nullable: expression.nullable))
    }
    return columns
  }
}
