import StreamModel
import Testing

@testable import Topology

/// Loads a topology's text as if it stood in `/t/topologies/t.yaml`.
func load(
  _ text: String, set overrides: [String] = [], environment: [String: String] = [:]
) throws(TopologyError) -> LogicalPlan {
  try TopologyLoader.load(text: text, file: "/t/topologies/t.yaml", overrides: overrides, environment: environment)
}

/// The faults of a text as `line:column: path: message — mend`; empty where it is right.
func faults(_ text: String, set overrides: [String] = [], environment: [String: String] = [:]) -> [String] {
  do throws(TopologyError) {
    _ = try load(text, set: overrides, environment: environment)
    return []
  } catch {
    return error.faults.map { fault in
      let text = fault.description
      let prefix = "/t/topologies/t.yaml:"
      return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }
  }
}

/// A right topology: usage from a file, de-duplicated, into a file.
let valid = """
  weir: 1
  topology: t
  sources:
    usage:
      connector: file
      path: ../data/usage
      schema:
        record_id: string not null
        account_id: string not null
        service: string
        quantity: decimal(18,3)
        started_at: timestamp
        day: int64
      event_time: started_at
  steps:
    once:
      from: usage
      deduplicate: {key: [record_id], within: 24h}
  sinks:
    out: {from: once, connector: file, path: ../out/t}

  """

/// A topology with a source `usage` and these steps, the first of their lines being line 9; a sink for each name in `sinks`.
func topology(steps: String, sinks: [String] = ["usage"]) -> String {
  let prelude = """
    weir: 1
    topology: t
    sources:
      usage: {connector: file, path: /in, event_time: started_at, schema: {record_id: string not null, account_id: string not null, service: string, quantity: decimal(18,3), started_at: timestamp not null, day: int64}}
      plain: {connector: file, path: /in, schema: {account_id: string not null, price: double}}
    sinks:
      all: {from: [\(sinks.joined(separator: ", "))], connector: blackhole}
    steps:

    """
  let indented = steps.split(separator: "\n", omittingEmptySubsequences: false).map { "  " + $0 }
  return prelude + indented.joined(separator: "\n") + "\n"
}

/// A topology with one source `s` of these lines, the first being line 5.
func topology(source: String, rest: String = "") -> String {
  let prelude = "weir: 1\ntopology: t\nsources:\n  s:\n"
  let indented = source.split(separator: "\n", omittingEmptySubsequences: false).map { "    " + $0 }
  return prelude + indented.joined(separator: "\n") + "\nsinks: {out: {from: s, connector: blackhole}}\n" + rest
}

/// Expects exactly these faults of a topology made of these steps, source or text.
func expect(
  steps: String? = nil, source: String? = nil, text: String? = nil, set overrides: [String] = [],
  environment: [String: String] = [:], _ expected: [String], sourceLocation: SourceLocation = #_sourceLocation
) {
  let whole = steps.map { topology(steps: $0) } ?? source.map { topology(source: $0) } ?? text ?? ""
  let found = faults(whole, set: overrides, environment: environment)
  #expect(found == expected, sourceLocation: sourceLocation)
}
