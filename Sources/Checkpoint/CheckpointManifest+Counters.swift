import State

extension CheckpointManifest {
  /// What a job has counted from its first start to this checkpoint, whatever crashes and restarts lay between: exactly the
  /// rows that came before its barrier.
  package struct Counters: Equatable, Sendable {
    /// Wall-clock ms since 1970 at which the job began anew.
    package var since: Int64
    package var nodes: [NodeCount]

    package init(since: Int64, nodes: [NodeCount]) {
      self.since = since
      self.nodes = nodes
    }
  }

  /// The counts of one source, step or sink, or of a subtask's share of it.
  package struct NodeCount: Equatable, Sendable {
    package struct Port: Equatable, Sendable {
      package let name: String
      package var rows: Int
      package init(name: String, rows: Int) {
        self.name = name
        self.rows = rows
      }
    }
    package let name: String
    /// `source`, `sink`, `dead_letters`, or the step's operation.
    package let kind: String
    package var rowsIn = 0
    package var rowsOut = 0
    package var failed = 0
    package var failedResults = 0
    package var bytes = 0
    /// Side ports on which rows were counted.
    package var ports: [Port] = []

    package init(name: String, kind: String) {
      self.name = name
      self.kind = kind
    }

    /// Adds the counts of another share of the same node.
    package mutating func add(_ other: NodeCount) {
      rowsIn += other.rowsIn
      rowsOut += other.rowsOut
      failed += other.failed
      failedResults += other.failedResults
      bytes += other.bytes
      for port in other.ports {
        if let index = ports.firstIndex(where: { $0.name == port.name }) {
          ports[index].rows += port.rows
        } else {
          ports.append(port)
        }
      }
    }
  }
}

extension [CheckpointManifest.NodeCount] {
  /// One count a node, in the order in which nodes come first.
  package var summedByNode: [CheckpointManifest.NodeCount] {
    var sums: [CheckpointManifest.NodeCount] = []
    var position: [String: Int] = [:]
    for count in self {
      let key = "\(count.kind) \(count.name)"
      if let index = position[key] {
        sums[index].add(count)
      } else {
        position[key] = sums.count
        sums.append(count)
      }
    }
    return sums
  }
}

extension CheckpointManifest.Counters {
  func encode(to writer: inout StateWriter) {
    writer.write(since)
    writer.write(count: nodes.count)
    for node in nodes {
      writer.write(Array(node.name.utf8))
      writer.write(Array(node.kind.utf8))
      for count in [node.rowsIn, node.rowsOut, node.failed, node.failedResults, node.bytes] {
        writer.write(Int64(count))
      }
      writer.write(count: node.ports.count)
      for port in node.ports {
        writer.write(Array(port.name.utf8))
        writer.write(Int64(port.rows))
      }
    }
  }

  init(from reader: inout StateReader) throws(StateError) {
    since = try reader.readInt64()
    nodes = []
    for _ in 0..<(try reader.readCount()) { nodes.append(try CheckpointManifest.NodeCount(from: &reader)) }
  }
}

extension CheckpointManifest.NodeCount {
  fileprivate init(from reader: inout StateReader) throws(StateError) {
    name = String(decoding: try reader.readBytes(), as: UTF8.self)
    kind = String(decoding: try reader.readBytes(), as: UTF8.self)
    rowsIn = Int(try reader.readInt64())
    rowsOut = Int(try reader.readInt64())
    failed = Int(try reader.readInt64())
    failedResults = Int(try reader.readInt64())
    bytes = Int(try reader.readInt64())
    for _ in 0..<(try reader.readCount()) {
      let name = String(decoding: try reader.readBytes(), as: UTF8.self)
      ports.append(Port(name: name, rows: Int(try reader.readInt64())))
    }
  }
}
