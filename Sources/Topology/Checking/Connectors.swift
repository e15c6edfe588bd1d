/// The connectors of the language, those of this version among them, and the keys each takes.
struct ConnectorLanguage {
  let name: String
  /// Keys beside those every source (or sink) takes; nil where the language leaves them open.
  let keys: [String]?
  let isAvailable: Bool

  static let sources = [
    ConnectorLanguage(name: "file", keys: ["path", "order"], isAvailable: true),
    ConnectorLanguage(
      name: "generator",
      keys: ["kind", "rows", "seed", "accounts", "start", "records_per_event_second", "anomalies", "frauds", "truth"],
      isAvailable: true),
    ConnectorLanguage(
      name: "kafka",
      keys: [
        "topic", "pattern", "bootstrap", "group", "start", "timestamp", "stop", "discover", "message", "properties",
      ], isAvailable: true),
    ConnectorLanguage(name: "postgres", keys: nil, isAvailable: false),
    ConnectorLanguage(name: "http", keys: nil, isAvailable: false),
  ]

  /// What every source takes; some belong to one format.
  static let sourceKeys =
    [
      "connector", "format", "schema", "computed", "event_time", "watermark", "on_error", "rate",
    ] + FormatChecker.sourceKeys

  static let sinks = [
    ConnectorLanguage(name: "file", keys: ["path"] + FormatChecker.fileSinkKeys, isAvailable: true),
    ConnectorLanguage(name: "console", keys: [], isAvailable: true),
    ConnectorLanguage(name: "blackhole", keys: [], isAvailable: true),
    ConnectorLanguage(
      name: "kafka",
      keys: ["topic", "bootstrap", "key", "properties", "transaction_timeout"] + FormatChecker.messageSinkKeys,
      isAvailable: true),
    ConnectorLanguage(name: "postgres", keys: nil, isAvailable: false),
  ]

  /// Tables of `lookup`.
  static let tables = [
    ConnectorLanguage(name: "file", keys: ["path", "header", "delimiter", "quote"], isAvailable: true),
    ConnectorLanguage(
      name: "http", keys: ["url", "headers", "timeout", "retry", "breaker", "rows", "columns"], isAvailable: true),
    ConnectorLanguage(
      name: "postgres", keys: ["connection", "table", "query", "timeout", "retry", "breaker"], isAvailable: true),
    ConnectorLanguage(
      name: "kafka",
      keys: ["topic", "bootstrap", "properties", "reader_schema", "registry", "registry_credentials"], isAvailable: true
    ),
  ]

  /// What every table takes.
  static let tableKeys = ["connector", "format", "check"]

  static let sinkKeys = ["from", "connector", "delivery"]
  static let deadLetterKeys = ["connector"]

  /// The connector that `section` names. Unknown ones, ones that this version lacks, and keys that are not the
  /// connector's are faults; keys of another connector are notes instead where `--set` chose this one.
  static func read(
    _ section: Section, among connectors: [ConnectorLanguage], common: [String], notes: inout [String]
  ) -> ConnectorLanguage? {
    let available = connectors.filter(\.isAvailable).map(\.name)
    guard let item = section.required("connector", Shown.alternatives(available)) else {
      checkKeys(section, common + connectors.flatMap { $0.keys ?? [] })
      return nil
    }
    guard let scalar = item.scalar(Shown.alternatives(available)) else { return nil }
    guard let connector = connectors.first(where: { $0.name == scalar.text }) else {
      let nearest = NearestName.nearest(to: scalar.text, among: connectors.map(\.name)).map { "did you mean `\($0)`?" }
      item.fault("there is no connector `\(scalar.shown)` here", nearest ?? "use \(Shown.alternatives(available))")
      return nil
    }
    if !connector.isAvailable {
      item.fault(
        "the \(connector.name) connector is not available in this version of Weir",
        "use \(Shown.alternatives(available))")
    }
    guard let own = connector.keys else { return connector }
    let all = connectors.flatMap { $0.keys ?? [] }
    for (name, key) in section.items where !(common + own).contains(name) {
      let owners = connectors.filter { $0.keys?.contains(name) ?? false }.map(\.name)
      if owners.isEmpty {
        key.keyFault(
          "is not known",
          NearestName.suggestion(
            for: name, among: common + (item.isFromCommandLine ? all : own), otherwise: "remove it"))
      } else if item.isFromCommandLine {
        notes.append(
          "\(key.path) is left aside: it belongs to connector \(Shown.alternatives(owners)), and --set chose \(connector.name)"
        )
      } else {
        key.keyFault("belongs to connector \(Shown.alternatives(owners)), not to \(connector.name)", "remove it")
      }
    }
    return connector
  }

  private static func checkKeys(_ section: Section, _ known: [String]) {
    for (name, item) in section.items where !known.contains(name) {
      item.keyFault("is not known", NearestName.suggestion(for: name, among: known, otherwise: "remove it"))
    }
  }
}
