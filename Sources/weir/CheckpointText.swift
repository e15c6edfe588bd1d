import Checkpoint
import StreamModel
import Topology

/// What a checkpoint holds, for people and programs.
enum CheckpointText {
  static func tables(_ manifest: CheckpointManifest, _ path: String) -> String {
    var text = "checkpoint \(manifest.id) of \(manifest.topology): \(path)\n"
    text += "taken \(CivilTime.formatTimestamp(manifest.createdAt)), every file is whole"
    text += manifest.isComplete ? ", all input read\n" : "\n"
    text += "counted since \(CivilTime.formatTimestamp(manifest.counters.since)): "
    text += "\(Numbers.grouped(manifest.recordsRead)) records\n"
    for source in manifest.sources {
      text += "source \(source.name):\n"
      text += TextTable.render(
        [["partition", "position", ""]]
          + source.positions.map { [$0.partition, Numbers.grouped(Int($0.offset)), $0.isAtEnd ? "read" : ""] },
        numbers: [1])
    }
    text += "state: \(Numbers.size(manifest.stateBytes)) in \(manifest.files.count) files\n"
    text += TextTable.render(
      [["step", "part", "entries", "bytes", "watermark"]]
        + manifest.operators.map {
          [$0.step, $0.role, "≈" + Numbers.grouped($0.entryCount), Numbers.size($0.sizeBytes), time($0.watermark)]
        }, numbers: [2, 3])
    for state in manifest.droppedStates {
      text += "state dropped: \(state.step), about \(Numbers.grouped(state.entryCount)) entries, "
      text += "\(Numbers.size(state.sizeBytes)) of checkpoint \(state.checkpoint)\n"
    }
    if !manifest.parts.isEmpty {
      text += "output: \(manifest.parts.count) files, "
      text += "\(Numbers.grouped(manifest.parts.reduce(0) { $0 + $1.rows })) rows\n"
    }
    text += "counters:\n" + counters(manifest)
    return text
  }

  private static func counters(_ manifest: CheckpointManifest) -> String {
    TextTable.render(
      [["", "in", "out", "aside"]]
        + manifest.counters.nodes.map { node in
          var aside = node.ports.map { "\($0.name) \(Numbers.grouped($0.rows))" }
          if node.failed > 0 { aside.append("failed \(Numbers.grouped(node.failed))") }
          return [
            "\(node.kind) \(node.name)", Numbers.grouped(node.rowsIn), Numbers.grouped(node.rowsOut),
            aside.joined(separator: ", "),
          ]
        }, numbers: [1, 2])
  }

  /// An event time; a watermark that has not begun, or is past everything, in words.
  private static func time(_ time: EventTime) -> String {
    switch time {
    case EventTimes.minimum: "none yet"
    case EventTimes.maximum: "end of input"
    default: CivilTime.formatTimestamp(time)
    }
  }

  static func json(_ manifest: CheckpointManifest, _ path: String) -> String {
    let object: [(String, JSONText)] = [
      ("id", .integer(manifest.id)), ("path", .string(path)), ("topology", .string(manifest.topology)),
      ("created_at", .string(CivilTime.formatTimestamp(manifest.createdAt))), ("complete", .flag(manifest.isComplete)),
      ("state_bytes", .integer(Int64(manifest.stateBytes))),
      ("sources", .array(manifest.sources.map(source))), ("operators", .array(manifest.operators.map(state))),
      ("dropped_state", .array(manifest.droppedStates.map(dropped))),
      ("parts", .array(manifest.parts.map(part))), ("files", .array(manifest.files.map(file))),
      ("counted_since", .string(CivilTime.formatTimestamp(manifest.counters.since))),
      ("counters", .array(manifest.counters.nodes.map(count))),
    ]
    return JSONText.object(object).text + "\n"
  }

  private static func source(_ source: CheckpointManifest.Source) -> JSONText {
    .object([
      ("name", .string(source.name)),
      (
        "positions",
        .array(
          source.positions.map {
            .object([
              ("partition", .string($0.partition)), ("offset", .integer($0.offset)), ("at_end", .flag($0.isAtEnd)),
            ])
          })
      ),
    ])
  }

  private static func state(_ state: CheckpointManifest.Operator) -> JSONText {
    .object([
      ("step", .string(state.step)), ("part", .string(state.role)), ("entries", .integer(Int64(state.entryCount))),
      ("bytes", .integer(Int64(state.sizeBytes))), ("watermark", .string(time(state.watermark))),
      ("signature", .string(state.signature)),
    ])
  }

  private static func dropped(_ state: CheckpointManifest.DroppedState) -> JSONText {
    .object([
      ("step", .string(state.step)), ("checkpoint", .integer(state.checkpoint)),
      ("entries", .integer(Int64(state.entryCount))), ("bytes", .integer(Int64(state.sizeBytes))),
    ])
  }

  private static func part(_ part: CheckpointManifest.Part) -> JSONText {
    .object([
      ("sink", .string(part.sink)), ("path", .string(part.finalPath)), ("rows", .integer(Int64(part.rows))),
    ])
  }

  private static func file(_ file: CheckpointManifest.File) -> JSONText {
    .object([("name", .string(file.name)), ("bytes", .integer(Int64(file.sizeBytes)))])
  }

  private static func count(_ node: CheckpointManifest.NodeCount) -> JSONText {
    .object([
      ("kind", .string(node.kind)), ("name", .string(node.name)), ("in", .integer(Int64(node.rowsIn))),
      ("out", .integer(Int64(node.rowsOut))), ("failed", .integer(Int64(node.failed))),
      ("ports", .object(node.ports.map { ($0.name, .integer(Int64($0.rows))) })),
    ])
  }
}
