import Expressions
import Operators
import StreamModel

/// Checks `select` and `extend`.
struct ProjectChecker {
  let item: Item
  let input: StreamShape?
  /// `extend`: all columns of the input stay, those named again replaced.
  let keepsColumns: Bool

  private struct Column {
    let name: String
    /// Nil where its expression is faulty.
    let item: ProjectSpec.Item?
    let field: Field?
    var isPane = false
  }

  func check() -> StepOutcome {
    guard let section = item.openSection(expected: "columns and their expressions, such as {total: price * quantity}")
    else {
      return StepOutcome()
    }
    guard !section.entries.isEmpty else {
      item.keyFault("names no column", "write columns and their expressions, such as {total: price * quantity}")
      return StepOutcome(stream: keepsColumns ? input : nil)
    }
    guard let input else {
      for (_, item) in section.items { _ = item.scalar("an expression") }
      return StepOutcome()
    }
    var columns = keepsColumns ? input.schema.fields.indices.map { passed($0, input) } : []
    for (name, item) in section.items where Names.checkColumn(name, item) {
      let column = column(name, item, input)
      if let existing = columns.firstIndex(where: { $0.name == name }) {
        columns[existing] = column
      } else {
        columns.append(column)
      }
    }
    return outcome(columns, input, isComplete: columns.count >= section.entries.count)
  }

  private func passed(_ index: Int, _ input: StreamShape) -> Column {
    let field = input.schema[index]
    return Column(name: field.name, item: .column(index), field: field, isPane: input.paneColumns.contains(field.name))
  }

  private func column(_ name: String, _ item: Item, _ input: StreamShape) -> Column {
    guard let expression = ExpressionText.scalar(item, over: input) else {
      return Column(name: name, item: nil, field: nil)
    }
    let field = Field(name, expression.type, nullable: expression.nullable)
    let read = expression.columns.map { input.schema[$0].name }
    let isPane = read.contains { input.paneColumns.contains($0) }
    // A bare column is passed on without being evaluated.
    if case .scalar(let scalar) = item.node.content, read == [scalar.text] {
      return Column(name: name, item: .column(expression.columns[0]), field: field, isPane: isPane)
    }
    return Column(name: name, item: .expression(expression), field: field, isPane: isPane)
  }

  private func outcome(_ columns: [Column], _ input: StreamShape, isComplete: Bool) -> StepOutcome {
    var stream = input
    let fields = columns.compactMap(\.field)
    stream.schema = Schema(fields)
    stream.opaque = Set(columns.filter { $0.field == nil }.map(\.name))
    if keepsColumns { stream.opaque.formUnion(input.opaque.subtracting(fields.map(\.name))) }
    stream.paneColumns = Set(columns.filter(\.isPane).map(\.name))
    let items = columns.compactMap(\.item)
    guard items.count == columns.count, isComplete else { return StepOutcome(stream: stream) }
    return StepOutcome(operation: .project(ProjectSpec(items: items, outputSchema: stream.schema)), stream: stream)
  }
}
