import Operators
import StreamModel

/// A plan as a Mermaid flow chart: sources, steps and sinks are nodes; edges say where rows are exchanged by key, dotted
/// ones are side ports.
struct PlanChart {
  let plan: LogicalPlan

  var text: String {
    var lines = ["flowchart LR"]
    for source in plan.sources {
      lines.append("  \(node(source.name))[/\"\(label([source.name, source.connector.name]))\"/]")
    }
    for step in plan.steps { lines.append("  \(node(step.name))[\"\(label([step.name] + summary(step)))\"]") }
    for (index, sink) in plan.sinks.enumerated() {
      lines.append("  sink\(index)[(\"\(label([sink.name, sink.connector.name]))\")]")
    }
    for (index, view) in plan.views.enumerated() { lines.append("  view\(index)([\"\(label([view.name, "view"]))\"])") }
    lines.append("  dead_letters[(\"\(label(["dead letters", plan.deadLetters.connector.name]))\")]")
    return (lines + edges).joined(separator: "\n") + "\n"
  }

  /// An identifier that Mermaid takes for any name.
  private func node(_ name: String) -> String {
    if let index = plan.sources.firstIndex(where: { $0.name == name }) { return "source\(index)" }
    return "step\(plan.steps.firstIndex { $0.name == name } ?? 0)"
  }

  private func label(_ lines: [String]) -> String {
    lines.map { line in
      var safe = ""
      for character in Shown.text(line) {
        switch character {
        case "\"": safe += "#quot;"
        case "<": safe += "#lt;"
        case ">": safe += "#gt;"
        case "#": safe += "#35;"
        default: safe.append(character)
        }
      }
      return safe
    }.joined(separator: "<br/>")
  }

  private func summary(_ step: StepPlan) -> [String] {
    switch step.operation {
    case .filter(let condition): ["filter \(condition.text)"]
    case .project: [step.operationName]
    case .deduplicate(let spec): ["deduplicate within \(Durations.format(spec.withinMilliseconds))"]
    case .aggregate(let spec): ["aggregate", "window \(spec.window.phrase(step.inputSchema))"]
    case .join(let spec):
      [
        "\(spec.kind.rawValue) join",
        "\(Durations.format(spec.lowerMilliseconds)) to \(Durations.format(spec.upperMilliseconds))",
      ]
    case .lookup(_, let table): ["lookup", table.phrase]
    case .rate(let spec): ["rate by \(spec.catalog.name)", "cycle: \(spec.cyclePhrase)"]
    case .invoice(let spec): ["invoice by \(spec.catalog.name)"]
    case .match(let spec):
      ["match \(spec.patternText)"] + (spec.withinMilliseconds.map { ["within \(Durations.format($0))"] } ?? [])
    }
  }

  private var edges: [String] {
    var lines: [String] = []
    for source in plan.sources where source.onError == .deadLetter {
      lines.append("  \(node(source.name)) -. \"undecodable\" .-> dead_letters")
    }
    for step in plan.steps {
      lines += step.inputs.map { edge($0, step.leftExchange, to: node(step.name)) }
      lines += step.rightInputs.map { edge($0, plan.rightExchange(of: step), to: node(step.name)) }
      for (port, _) in step.portsInOrder where plan.destination(of: port, of: step) == .deadLetters {
        lines.append("  \(node(step.name)) -. \"\(port.rawValue)\" .-> dead_letters")
      }
    }
    for (index, sink) in plan.sinks.enumerated() { lines += sink.inputs.map { edge($0, .none, to: "sink\(index)") } }
    for (index, view) in plan.views.enumerated() { lines.append(edge(view.input, .none, to: "view\(index)")) }
    return lines
  }

  private func edge(_ reference: StreamReference, _ exchange: Exchange, to target: String) -> String {
    var words: [String] = reference.port.map { [$0.rawValue] } ?? []
    switch exchange {
    case .none: break
    case .byKey(let columns): words.append("by \(columns.joined(separator: ", "))")
    case .toOne: words.append("to one subtask")
    }
    let text = words.isEmpty ? "" : " \"\(label([words.joined(separator: ", ")]))\" "
    let arrow = reference.port == nil ? (text.isEmpty ? "-->" : "--\(text)-->") : "-.\(text).->"
    return "  \(node(reference.producer)) \(arrow) \(target)"
  }
}
