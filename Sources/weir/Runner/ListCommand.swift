import ArgumentParser
import Foundation
import Glibc

/// `weir list`.
struct ListCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "The topologies of a runner: a table that is drawn anew every second on a terminal.")

  @OptionGroup var options: RunnerOptions

  @Flag(help: "Once, also on a terminal.")
  var once = false

  func run() async throws {
    let client = try options.client()
    try await LiveText.show(once: once || options.json) {
      let answer = try await client.send("GET", "/v1/topologies")
      return options.json ? answer.text : ListCommand.table(answer.object)
    }
  }

  private static func table(_ answer: [String: Any]) -> String {
    let topologies = answer["topologies"] as? [[String: Any]] ?? []
    let broken = answer["broken"] as? [[String: Any]] ?? []
    if topologies.isEmpty, broken.isEmpty { return "no topologies\n" }
    let rows = topologies.map { topology in
      [
        "\(topology["name"] ?? "")", "\(topology["state"] ?? "")", TopologyText.count(topology["records_in"]),
        TopologyText.count(topology["rows_out"]), TopologyText.count(topology["dead_letters"]),
        TopologyText.age(topology["watermark_lag_ms"]), TopologyText.checkpoint(topology),
        TopologyText.failure(topology),
      ]
    }
    let header = ["topology", "state", "in", "out", "dead", "behind", "checkpoint", ""]
    return TextTable.render([header] + rows, numbers: [2, 3, 4, 5])
      + broken.map { "  \($0["name"] ?? "") cannot be run again: \($0["reason"] ?? "")\n" }.joined()
  }
}

/// `weir status`.
struct StatusCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "One topology of a runner: state, counters, checkpoints; drawn anew every second on a terminal.")

  @Argument(help: "The topology's name.")
  var name: String

  @OptionGroup var options: RunnerOptions

  @Flag(help: "Once, also on a terminal.")
  var once = false

  func run() async throws {
    let client = try options.client()
    try await LiveText.show(once: once || options.json) {
      let answer = try await client.send("GET", "/v1/topologies/\(RunnerClient.escaped(name))")
      return options.json ? answer.text : StatusCommand.text(answer.object)
    }
  }

  private static func text(_ topology: [String: Any]) -> String {
    var text = "\(topology["name"] ?? ""): \(topology["state"] ?? "")"
    text += ", revision \(topology["revision"] ?? 0), parallelism \(topology["parallelism"] ?? 0)\n"
    let failure = TopologyText.failure(topology)
    if !failure.isEmpty { text += "last failure: \(failure)\n" }
    text +=
      "behind: \(TopologyText.age(topology["watermark_lag_ms"])), checkpoint: \(TopologyText.checkpoint(topology))\n"
    let nodes = topology["nodes"] as? [[String: Any]] ?? []
    let rows = nodes.map { node in
      let ports = node["ports"] as? [String: Any] ?? [:]
      var aside = ports.keys.sorted().map { "\($0) \(TopologyText.count(ports[$0]))" }
      if let failed = node["failed"] as? Int, failed > 0 { aside.append("failed \(Numbers.grouped(failed))") }
      return [
        "\(node["kind"] ?? "") \(node["name"] ?? "")", TopologyText.count(node["in"]), TopologyText.count(node["out"]),
        aside.joined(separator: ", "),
      ]
    }
    return text + TextTable.render([["", "in", "out", "aside"]] + rows, numbers: [1, 2])
  }
}

/// What the tables show of a topology.
enum TopologyText {
  static func count(_ value: Any?) -> String { (value as? Int).map { Numbers.grouped($0) } ?? "" }

  static func age(_ milliseconds: Any?) -> String {
    (milliseconds as? Int).map { Numbers.age(milliseconds: Int64($0)) } ?? ""
  }

  static func checkpoint(_ topology: [String: Any]) -> String {
    guard let last = (topology["checkpoint"] as? [String: Any])?["last"] as? [String: Any] else { return "none yet" }
    return "\(last["id"] ?? 0), \(age(last["age_ms"])) ago"
  }

  static func failure(_ topology: [String: Any]) -> String {
    let reason = (topology["last_failure"] as? [String: Any])?["reason"] as? String ?? ""
    return String(reason.split(separator: "\n").first ?? "")
  }
}

/// Text that is drawn anew while it is looked at.
enum LiveText {
  static let isTerminal = isatty(1) == 1
  private static let pauseSeconds = 1

  static func show(once: Bool, _ text: () async throws -> String) async throws {
    guard isTerminal, !once else { return print(try await text(), terminator: "") }
    while true {
      let drawn = try await text()
      print("\u{1B}[H\u{1B}[2J" + drawn, terminator: "")
      fflush(nil)
      try await Task.sleep(for: .seconds(pauseSeconds))
    }
  }
}
