import Expressions
import StreamModel

/// What the checker knows of a stream.
struct StreamShape {
  var schema: Schema
  /// Columns that are there but whose type is not known because of a fault already reported: no fault is reported of what
  /// is made of them.
  var opaque: Set<String> = []
  var hasEventTime: Bool
  /// Columns that hold the pane of a result which may come several times; empty when each comes once.
  var paneColumns: Set<String> = []
  /// Whether results may come several times, no `filter` having chosen among them.
  var carriesPane = false
  /// Whether rows replace earlier ones of their key: the output of a running aggregate.
  var isUpdating = false

  /// This stream and another of the same columns.
  func united(with other: StreamShape) -> StreamShape {
    var sum = self
    sum.opaque.formUnion(other.opaque)
    sum.hasEventTime = hasEventTime && other.hasEventTime
    sum.carriesPane = carriesPane || other.carriesPane
    sum.paneColumns.formUnion(other.paneColumns)
    sum.isUpdating = isUpdating || other.isUpdating
    return sum
  }

  var columnNames: [String] { schema.fields.map(\.name) }

  /// The position of the column that `item` names; nil, with a fault, when there is none.
  func column(_ item: Item) -> Int? {
    guard let scalar = item.scalar("a column's name") else { return nil }
    if let index = schema.index(of: scalar.text) { return index }
    if !opaque.contains(scalar.text) {
      let mend = NearestName.suggestion(for: scalar.text, among: columnNames, otherwise: "add the column")
      item.fault("there is no column `\(scalar.shown)`", mend)
    }
    return nil
  }

  /// The columns that a list names.
  func columns(_ item: Item) -> NamedColumns {
    if case .mapping = item.node.content {
      item.fault("is a section", "write a list of columns: [account_id, service]")
      return NamedColumns(isComplete: false)
    }
    var named = NamedColumns()
    for element in item.isEmpty ? [] : item.elements { add(element, to: &named) }
    return named
  }

  private func add(_ element: Item, to named: inout NamedColumns) {
    guard let index = column(element) else {
      named.isComplete = false
      if case .scalar(let scalar) = element.node.content { named.unknown.insert(scalar.text) }
      return
    }
    guard named.indices.contains(index) else {
      named.indices.append(index)
      return
    }
    named.isComplete = false
    element.fault("the column `\(schema[index].name)` is listed twice", "list it once")
  }
}

/// The columns that a list such as `key:` names.
struct NamedColumns {
  /// Each once, in the order of the list.
  var indices: [Int] = []
  /// Names without a column; faults are reported.
  var unknown: Set<String> = []
  /// Whether the list has no fault.
  var isComplete = true
}

/// Checks expressions of the topology, mapping their faults to the file.
enum ExpressionText {
  static func scalar(_ item: Item, over stream: StreamShape) -> ScalarExpression? {
    guard let scalar = item.scalar("an expression") else { return nil }
    return settle(ExpressionChecker.scalar(scalar.text, schema: stream.schema), scalar, item, stream)
  }

  static func aggregate(_ item: Item, over stream: StreamShape) -> AggregateExpression? {
    guard let scalar = item.scalar("an aggregate such as count(*) or sum(quantity)") else { return nil }
    return settle(ExpressionChecker.aggregate(scalar.text, schema: stream.schema), scalar, item, stream)
  }

  /// Checks an expression by `check`, which is given its text.
  static func settled<Meaning>(
    _ item: Item, over stream: StreamShape, _ check: (String) -> Checked<Meaning>
  ) -> Meaning? {
    guard let scalar = item.scalar("an expression") else { return nil }
    return settle(check(scalar.text), scalar, item, stream)
  }

  private static func settle<Meaning>(
    _ checked: Checked<Meaning>, _ scalar: DocumentScalar, _ item: Item, _ stream: StreamShape
  ) -> Meaning? {
    switch checked {
    case .valid(let meaning): return meaning
    case .faults(let found):
      for fault in found where !isAboutOpaqueColumn(fault, scalar.text, stream) { report(fault, scalar, item) }
      return nil
    }
  }

  private static func isAboutOpaqueColumn(_ fault: ExpressionFault, _ text: String, _ stream: StreamShape) -> Bool {
    guard !stream.opaque.isEmpty else { return false }
    let bytes = Array(text.utf8)
    guard fault.offset >= 0, fault.length >= 0, fault.offset <= bytes.count - fault.length else { return false }
    let name = String(decoding: bytes[fault.offset..<fault.offset + fault.length], as: UTF8.self)
    return stream.opaque.contains(name) || stream.opaque.contains(String(name.dropFirst().dropLast()))
  }

  static func report(_ fault: ExpressionFault, _ scalar: DocumentScalar, _ item: Item) {
    let isInside = scalar.substitutions.contains { substitution in
      substitution.range.overlaps(fault.offset..<fault.offset + max(fault.length, 1))
    }
    if isInside || scalar.isRevealed(by: fault.message + fault.mend) {
      item.fault(
        atByte: fault.offset, of: scalar, "`\(scalar.shown)` is no valid expression once the environment is put in",
        "check the variable's value, which is not shown here")
      return
    }
    item.fault(
      atByte: fault.offset, of: scalar, Shown.text(fault.message, longest: 400), Shown.text(fault.mend, longest: 400))
  }
}
