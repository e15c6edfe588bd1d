import ArgumentParser
import Foundation
import Topology

/// What `submit` and `upgrade` send.
struct SubmissionArguments: ParsableArguments {
  @Argument(help: "The topology: a YAML file.")
  var file: String

  @Option(name: .customLong("set"), help: "Override a value: --set sources.usage.path=/data/in. May be repeated.")
  var overrides: [String] = []

  @Flag(help: "Check it only, and change nothing.")
  var dryRun = false

  func text() throws -> String {
    guard let text = try? String(contentsOfFile: file, encoding: .utf8) else {
      throw CommandFailure.wrong("weir: \(file): cannot be read")
    }
    return text
  }

  /// Paths in the topology are relative to its own folder, also for a runner that stands elsewhere on this machine.
  func query() throws -> [(String, String)] {
    let path = try SavepointCommand.absolute(file)
    guard let slash = path.lastIndex(of: "/") else { return [] }
    var query = [
      ("base", slash == path.startIndex ? "/" : String(path[..<slash])),
      ("file", String(path[path.index(after: slash)...])),
    ]
    query += overrides.map { ("set", $0) }
    if dryRun { query.append(("dry_run", "true")) }
    return query
  }
}

/// `weir submit`.
struct SubmitCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit", abstract: "Hand a topology to a runner, which checks it, remembers it and runs it.")

  @OptionGroup var submission: SubmissionArguments
  @OptionGroup var options: RunnerOptions

  @Option(help: "Where to begin: latest (the newest checkpoint), none (anew), or the path of a checkpoint.")
  var from = "latest"

  func run() async throws {
    let start = ["latest", "none"].contains(from) ? from : try SavepointCommand.absolute(from)
    let answer = try await options.client().send(
      "POST", "/v1/topologies", query: try submission.query() + [("from", start)], body: try submission.text(),
      type: "application/yaml")
    if options.json { return print(answer.text, terminator: "") }
    let name = answer.object["name"] as? String ?? ""
    StandardError.write(submission.dryRun ? "\(submission.file): valid: \(name)\n" : "\(name): submitted\n")
  }
}

/// `weir upgrade`.
struct UpgradeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "upgrade",
    abstract: "Put another version of a topology in the place of the one a runner has, from a savepoint of it.",
    discussion: "Where the state does not fit the new version, the old one goes on, and the report says why.")

  @OptionGroup var submission: SubmissionArguments
  @OptionGroup var options: RunnerOptions

  @OptionGroup var drop: StateDropArguments

  @Option(help: "The topology's name. Default: the one in the file.")
  var name: String?

  func run() async throws {
    let name: String
    if let given = self.name {
      name = given
    } else {
      name = try TopologyArguments.of(submission.file, submission.overrides).load().name
    }
    let answer = try await options.client().send(
      "POST", "/v1/topologies/\(RunnerClient.escaped(name))/upgrade",
      query: try submission.query() + drop.names.map { ("drop_state", $0) },
      body: try submission.text(), type: "application/yaml")
    if options.json { return print(answer.text, terminator: "") }
    UpgradeCommand.show(answer.object)
    StandardError.write("\(name): \(submission.dryRun ? "can be upgraded" : "upgraded")\n")
  }

  private static func show(_ answer: [String: Any]) {
    let report = answer["report"] as? [String: Any]
    let items = report?["items"] as? [[String: Any]] ?? []
    let rows = items.map { item in
      let reasons = (item["reasons"] as? [String] ?? []).joined(separator: "; ")
      let verdict = (item["verdict"] as? String ?? "").replacing("_", with: " ")
      return ["\(item["kind"] ?? "") \(item["name"] ?? "")", verdict, reasons]
    }
    print(TextTable.render(rows), terminator: "")
    if let path = answer["savepoint"] as? String { print("savepoint of the version before: \(path)") }
  }
}
