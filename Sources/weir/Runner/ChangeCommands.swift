import ArgumentParser
import Foundation

/// Which topology of which runner.
struct NamedTopology: ParsableArguments {
  @Argument(help: "The topology's name.")
  var name: String

  @OptionGroup var options: RunnerOptions

  var path: String { "/v1/topologies/\(RunnerClient.escaped(name))" }

  /// Sends a change, and says what became of it.
  func change(_ method: String, _ action: String, _ done: String, body: String? = nil) async throws {
    let answer = try await options.client().send(
      method, path + action, body: body, type: body == nil ? nil : "application/json")
    if options.json { return print(answer.text, terminator: "") }
    StandardError.write("\(name): \(done)\n")
  }
}

/// `weir pause`.
struct PauseCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "End a topology's job with a last checkpoint, until it is resumed.")
  @OptionGroup var topology: NamedTopology
  func run() async throws { try await topology.change("POST", "/pause", "paused") }
}

/// `weir resume`.
struct ResumeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Run a topology again that was paused, has failed, or has new input.")
  @OptionGroup var topology: NamedTopology
  func run() async throws { try await topology.change("POST", "/resume", "resumed") }
}

/// `weir rescale`.
struct RescaleCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rescale", abstract: "Run a topology at another parallelism.")
  @OptionGroup var topology: NamedTopology

  @Argument(help: "How many subtasks each step has from now on.")
  var parallelism: Int

  func run() async throws {
    try await topology.change(
      "POST", "/rescale", "runs at parallelism \(parallelism)", body: "{\"parallelism\": \(parallelism)}")
  }
}

/// `weir cancel`.
struct CancelCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel", abstract: "End a topology with a last checkpoint and have the runner forget it.",
    discussion: "Its checkpoints and its output stay.")
  @OptionGroup var topology: NamedTopology

  @Flag(help: "Keep a savepoint, and print its path.")
  var savepoint = false

  @Option(help: "Where the savepoint goes. Default: the runner's directory.")
  var path: String?

  func run() async throws {
    var query: [(String, String)] = []
    if savepoint || path != nil { query.append(("savepoint", "true")) }
    if let path { query.append(("path", try SavepointCommand.absolute(path))) }
    let answer = try await topology.options.client().send("DELETE", topology.path, query: query)
    if topology.options.json { return print(answer.text, terminator: "") }
    StandardError.write("\(topology.name): cancelled\n")
    if let path = answer.object["savepoint"] as? String { print(path) }
  }
}
