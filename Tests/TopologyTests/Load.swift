import StreamModel

@testable import Topology

/// Loads a topology's text as if it stood in `/t/topologies/t.yaml`.
func load(_ text: String, set overrides: [String] = [], environment: [String: String] = [:]) throws(TopologyError)
  -> LogicalPlan
{
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
