import Connectors
import Operators
import StreamModel

extension TableConnector {
  /// The table as a phrase.
  var phrase: String {
    switch self {
    case .file(let spec): "file \(Shown.text(spec.path)) (\(spec.format.name)), in memory"
    case .postgres(let spec): "postgres, \(Shown.text(spec.source.phrase))"
    case .kafka(let spec): "kafka topic \(spec.topic) at \(spec.cluster.bootstrap) (\(spec.format.name)), in memory"
    case .http(let spec): "http \(Shown.text(spec.url.text))"
    }
  }
}

extension PostgresTableSpec.Source {
  /// What is asked; the connection is not shown, which may hold a password.
  var phrase: String {
    switch self {
    case .table(let name): "table \(name)"
    case .query(let text): "query \(text)"
    }
  }
}

extension TableConnector {
  /// What is kept of a table that is asked; nil for one in memory.
  func cachePhrase(_ spec: LookupSpec) -> String? {
    if isInMemory { return nil }
    let cache = spec.cache
    let requests = "\(spec.capacity) requests at once"
    if cache.maxRows == 0 { return "none, \(requests)" }
    var parts = ["\(cache.maxRows) rows"]
    if let life = cache.expireAfterWriteMilliseconds { parts.append("for \(Durations.format(life))") }
    if let life = cache.expireAfterAccessMilliseconds { parts.append("unless unused for \(Durations.format(life))") }
    if let stale = cache.serveStaleMilliseconds { parts.append("stale for \(Durations.format(stale)) more") }
    if !cache.cachesMissing { parts.append("but not what is missing") }
    return (parts + [requests]).joined(separator: ", ")
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
