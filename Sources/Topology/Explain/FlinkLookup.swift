import Connectors
import Expressions
import Formats
import Operators
import StreamModel

/// A lookup as a Flink table and a view that joins it.
struct FlinkLookup {
  let step: StepPlan
  let spec: LookupSpec
  let table: TableConnector
  /// What the step reads, and whether that has event times.
  let input: String
  let hasTime: Bool

  private var tableName: String { FlinkText.name("table_\(step.name)") }

  func translate() -> FlinkStep.Translation {
    if let reason = untranslatable {
      return FlinkStep.Translation(
        statement: FlinkSQL.comment("step \(step.name): not translated: \(reason)"), isComplete: false)
    }
    let statements = [tableStatement, "CREATE TEMPORARY VIEW \(FlinkText.name(step.name)) AS\n\(query);"]
    return FlinkStep.Translation(statement: statements.joined(separator: "\n"))
  }

  private var untranslatable: String? {
    switch table {
    case .file: nil
    case .http: "Flink has no table that is asked over HTTP: name a JDBC table or a connector of your own here"
    case .kafka:
      "name the topic as an upsert-kafka table with its key, and join it FOR SYSTEM_TIME AS OF the row's event time"
    case .postgres: "name the table as a JDBC table of Flink, and join it FOR SYSTEM_TIME AS OF a processing time"
    }
  }

  private var query: String {
    let names = zip(spec.items, spec.outputSchema.fields).map { item, field in
      switch item {
      case .input: return "s.\(FlinkText.name(field.name))"
      case .taken(let number):
        let column = FlinkText.name(spec.layout.schema[spec.layout.taken[number]].name)
        return "t.\(column) AS \(FlinkText.name(field.name))"
      }
    }
    let columns = names + (hasTime ? ["s.\(FlinkText.name(FlinkSQL.timeColumn))"] : [])
    let join = spec.missing == .null ? "LEFT JOIN" : "JOIN"
    return
      "SELECT \(columns.joined(separator: ",\n  "))\nFROM \(input) s\n\(join) \(tableName) t\nON \(conditions.joined(separator: "\n  AND "))"
  }

  private var conditions: [String] {
    var conditions = zip(spec.key, spec.layout.key).map { stream, table in
      "s.\(FlinkText.name(step.inputSchema[stream].name)) = t.\(FlinkText.name(spec.layout.schema[table].name))"
    }
    guard let asOf = spec.asOf, let validity = spec.layout.validity else { return conditions }
    let time = "s.\(FlinkText.name(step.inputSchema[asOf.column].name))"
    let (from, to) = (bound(validity.from), bound(validity.to))
    conditions.append("\(time) >= \(from)")
    conditions.append("(\(to) IS NULL OR \(time) < \(to))")
    if let age = asOf.maxAgeMilliseconds {
      conditions.append("\(time) <= \(from) + \(FlinkText.interval(milliseconds: age))")
    }
    return conditions
  }

  private func bound(_ column: Int) -> String { "t.\(FlinkText.name(spec.layout.schema[column].name))" }

  private var tableStatement: String {
    let columns = spec.layout.schema.fields.map {
      "  \(FlinkText.name($0.name)) \(FlinkText.type($0.type))\($0.nullable ? "" : " NOT NULL")"
    }
    let head = "CREATE TEMPORARY TABLE \(tableName) (\n\(columns.joined(separator: ",\n"))\n)"
    var notes = ["rows without a counterpart are dropped there, on the port `missing` here"]
    if spec.missing != .port { notes = [] }
    if spec.missing == .fail { notes.append("a row without a counterpart is dropped there, and ends the job here") }
    switch table {
    case .http, .postgres, .kafka: return ""
    case .file(let file):
      notes.append("Flink reads the file once and joins it as a stream; here it is read anew when it changes")
      if case .csv(let csv) = file.format, csv.header {
        notes.append("Flink takes a header line for a record: take it out of the file")
      }
      return FlinkSQL.statement(
        head, [("connector", "filesystem"), ("path", file.path)] + FlinkSource.options(file.format, onError: .fail),
        notes.map { "step \(step.name): \($0)" })
    }
  }
}
