import Topology

/// The shapes of what the runner takes and answers.
enum OpenAPISchemas {
  static let text: JSONText = .object([("type", .string("string"))])
  static let integer: JSONText = .object([("type", .string("integer"))])
  static let flag: JSONText = .object([("type", .string("boolean"))])
  static let time: JSONText = .object([("type", .string("string")), ("format", .string("date-time"))])
  static let anything: JSONText = .object([("type", .string("object"))])

  private static func nullable(_ schema: JSONText) -> JSONText {
    .object([("anyOf", .array([schema, .object([("type", .string("null"))])]))])
  }

  private static func list(_ schema: JSONText) -> JSONText {
    .object([("type", .string("array")), ("items", schema)])
  }

  private static func object(_ fields: [(String, JSONText)], optional: Set<String> = []) -> JSONText {
    .object([
      ("type", .string("object")), ("properties", .object(fields)),
      ("required", .array(fields.map(\.0).filter { !optional.contains($0) }.map { .string($0) })),
    ])
  }

  private static func one(_ schema: String) -> JSONText {
    .object([("$ref", .string("#/components/schemas/\(schema)"))])
  }

  private static var phase: JSONText {
    .object([
      ("type", .string("string")), ("enum", .array(RunnerTopology.Phase.allCases.map { .string($0.rawValue) })),
    ])
  }

  private static var summaryFields: [(String, JSONText)] {
    [
      ("name", text), ("state", phase), ("description", text), ("revision", integer), ("parallelism", integer),
      ("submitted_at", time), ("started_at", nullable(time)), ("records_in", integer), ("rows_out", integer),
      ("dead_letters", integer), ("watermark", nullable(time)), ("watermark_lag_ms", nullable(integer)),
      ("restarts", integer), ("restart_at", nullable(time)), ("repeats_slowly", flag),
      ("last_failure", nullable(object([("at", time), ("reason", text)]))), ("checkpoint", one("CheckpointOutcomes")),
    ]
  }

  static var all: [(String, JSONText)] {
    topologies + changes + views + [
      (
        "Problem",
        object(
          [
            ("type", text), ("title", text), ("status", integer), ("detail", text), ("faults", list(one("Fault"))),
            ("report", one("FitReport")),
          ], optional: ["faults", "report"])
      ),
      (
        "Fault",
        object([
          ("file", text), ("line", integer), ("column", integer), ("path", text), ("message", text), ("mend", text),
        ])
      ),
      ("Text", text), ("Events", text), ("Document", anything),
      ("Source", .object([("description", .string("A topology's text: YAML."))])),
    ]
  }

  private static var topologies: [(String, JSONText)] {
    [
      ("TopologySummary", object(summaryFields)),
      (
        "TopologyList",
        object([
          ("topologies", list(one("TopologySummary"))), ("broken", list(object([("name", text), ("reason", text)]))),
        ])
      ),
      (
        "Topology",
        object(
          summaryFields + [
            ("notices", list(text)), ("overrides", list(text)), ("nodes", list(one("Node"))),
            ("stages", list(one("Stage"))), ("views", list(text)), ("plan", anything),
          ])
      ),
      (
        "Node",
        object([
          ("kind", text), ("name", text), ("in", integer), ("out", integer), ("failed", integer), ("bytes", integer),
          ("reconciles", flag), ("ports", anything),
        ])
      ),
      (
        "Stage",
        object([
          ("name", text), ("parallelism", integer), ("watermark", nullable(time)), ("waited_ms", integer),
          ("blocked_others_ms", integer),
        ])
      ),
      (
        "CheckpointOutcomes",
        object([
          ("committed", integer), ("failed", integer), ("last_failure", nullable(text)),
          (
            "last",
            nullable(
              object([
                ("id", integer), ("created_at", time), ("age_ms", integer), ("duration_ms", integer),
                ("state_bytes", integer), ("new_bytes", integer), ("state_bytes_by_step", anything),
              ]))
          ),
        ])
      ),
      ("Checked", object([("name", text), ("plan", anything)])),
      (
        "Upgrade",
        object([("name", text), ("report", nullable(one("FitReport"))), ("savepoint", nullable(text))])
      ),
      (
        "FitReport",
        object([
          ("checkpoint", integer), ("compatible", flag),
          (
            "items",
            list(object([("kind", text), ("name", text), ("verdict", text), ("reasons", list(text))]))
          ),
        ])
      ),
    ]
  }

  private static var changes: [(String, JSONText)] {
    [
      ("Cancelled", object([("name", text), ("savepoint", nullable(text)), ("checkpoint", nullable(integer))])),
      (
        "Rescale",
        object([
          (
            "parallelism",
            .object([("type", .string("integer")), ("minimum", .integer(1)), ("maximum", .integer(128))])
          )
        ])
      ),
      ("SavepointRequest", object([("path", text)], optional: ["path"])),
      ("Savepoint", object([("path", text), ("checkpoint", integer)])),
      ("CheckpointList", object([("checkpoints", list(one("Checkpoint")))])),
      (
        "Checkpoint",
        object(
          [
            ("id", integer), ("path", text), ("damaged", text), ("created_at", time), ("complete", flag),
            ("duration_ms", integer), ("state_bytes", integer), ("new_bytes", integer), ("records", integer),
            ("output_rows", integer),
          ],
          optional: [
            "damaged", "created_at", "complete", "duration_ms", "state_bytes", "new_bytes", "records", "output_rows",
          ])
      ),
      ("LetterPage", object([("letters", list(one("Letter"))), ("next", nullable(integer))])),
      (
        "Letter",
        object([
          ("position", integer), ("step", text), ("port", text), ("reason", text), ("source", nullable(text)),
          ("partition", nullable(text)), ("record", nullable(text)), ("record_base64", text),
        ])
      ),
      (
        "Replay",
        object([("source", text), ("step", text), ("port", text)], optional: ["source", "step", "port"])
      ),
      ("Replayed", object([("sent", integer), ("left", integer), ("files", list(text))])),
    ]
  }

  private static var views: [(String, JSONText)] {
    [
      ("ViewList", object([("views", list(one("View")))])),
      (
        "View",
        object([
          ("name", text), ("key", list(text)), ("account", nullable(text)), ("masked", list(text)),
          ("retain_ms", nullable(integer)),
          ("columns", list(object([("name", text), ("type", text), ("nullable", flag)]))),
        ])
      ),
      ("Row", anything),
      (
        "RowPage",
        object([
          ("isolation", text), ("checkpoint", integer), ("position", text), ("next", nullable(text)),
          ("rows", list(one("Row"))),
        ])
      ),
    ]
  }
}
