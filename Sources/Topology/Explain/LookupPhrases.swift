import Connectors
import Operators
import StreamModel

extension TableConnector {
  /// The table as a phrase.
  var phrase: String {
    switch self {
    case .file(let spec): "file \(Shown.text(spec.path)) (\(spec.format.name)), in memory"
    }
  }
}

extension LookupSpec {
  /// The pairs of `on:`; `schema` names the stream's columns.
  func keyPairs(_ schema: Schema) -> [String] {
    zip(key, layout.key).map { stream, table in
      let (own, other) = (schema[stream].name, layout.schema[table].name)
      return own == other ? own : "\(own) = \(other)"
    }
  }

  /// How a version is chosen; nil where a key has one row.
  func versionsPhrase(_ schema: Schema) -> String? {
    guard let asOf, let validity = layout.validity else { return nil }
    let bounds =
      "\(layout.schema[validity.from].name) ≤ \(schema[asOf.column].name) < \(layout.schema[validity.to].name)"
    guard let age = asOf.maxAgeMilliseconds else { return bounds }
    return "\(bounds), begun at most \(Durations.format(age)) before"
  }
}
