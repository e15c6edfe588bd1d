import ArgumentParser
import Checkpoint
import Glibc
import Runtime
import Topology

/// `weir savepoint`.
struct SavepointCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "savepoint",
    abstract: "Copy a topology's state to a folder of its own, also while it runs; `weir run --from` goes on from it.",
    discussion: """
      A running job takes a checkpoint for it and goes on; of one that is not running it is the newest checkpoint. The copy \
      shares no file with the checkpoints, and its path is printed when it is whole and durable.
      Where the topology is no file but the name of one that a runner has, the runner makes it, and may choose the path.
      """)

  @OptionGroup var topology: TopologyArguments

  @Argument(help: "The folder to make. A runner can do without.")
  var path: String?

  @OptionGroup var options: RunnerOptions

  func run() async throws {
    if SavepointCommand.isName(topology.file) { return try await askRunner() }
    guard let path else { throw CommandFailure.wrong("weir: savepoint: say where it goes: weir savepoint FILE PATH") }
    let plan = try topology.load()
    let target = try SavepointCommand.absolute(path)
    do {
      let id = try ControlClient.savepoint(of: plan.checkpointDirectory, to: target) ?? copyNewest(plan, target)
      StandardError.write("\(plan.name): savepoint of checkpoint \(id)\n")
      print(target)
    } catch {
      throw CommandFailure.failed("weir: \(plan.name): \(error)")
    }
  }

  /// Whether this is what a topology can be called, and no file.
  private static func isName(_ text: String) -> Bool {
    access(text, F_OK) != 0 && !text.isEmpty
      && text.allSatisfy { $0.isASCII && ($0.isLowercase || $0.isNumber || $0 == "-") }
  }

  private func askRunner() async throws {
    let body = try path.map { "{\"path\": \(JSONText.string(try SavepointCommand.absolute($0)).text)}" } ?? "{}"
    let answer = try await options.client().send(
      "POST", "/v1/topologies/\(topology.file)/savepoints", body: body, type: "application/json")
    if options.json { return print(answer.text, terminator: "") }
    StandardError.write("\(topology.file): savepoint of checkpoint \(answer.object["checkpoint"] ?? 0)\n")
    print(answer.object["path"] as? String ?? "")
  }

  /// Holds the job's directory meanwhile, so that nothing starts and removes what is copied.
  private func copyNewest(_ plan: LogicalPlan, _ target: String) throws -> Int64 {
    guard CheckpointsCommand.isFolder(plan.checkpointDirectory) else {
      throw CheckpointError("\(plan.checkpointDirectory): it has never run: there is no checkpoint")
    }
    let storage = try CheckpointStorage(directory: plan.checkpointDirectory)
    guard let id = try storage.list().last else {
      throw CheckpointError("\(plan.checkpointDirectory): there is no checkpoint")
    }
    let path = storage.path(of: id)
    try CheckpointStorage.copy(path, to: target, isOutputCommitted: CheckpointStorage.isPublished(path))
    return id
  }

  static func absolute(_ path: String) throws -> String {
    var path = path
    while path.count > 1 && path.last == "/" { path.removeLast() }
    if path.hasPrefix("/") { return path }
    guard let current = getcwd(nil, 0) else { throw CommandFailure.failed("weir: the working directory is gone") }
    defer { free(current) }
    return "\(String(cString: current))/\(path)"
  }
}
