import ArgumentParser
import Checkpoint
import Glibc
import Runtime
import StreamModel
import Topology

/// `weir checkpoints`.
struct CheckpointsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "checkpoints", abstract: "List and inspect checkpoints and savepoints.",
    subcommands: [CheckpointsListCommand.self, CheckpointsInspectCommand.self])

  static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }
}

/// `weir checkpoints list`.
struct CheckpointsListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list", abstract: "The checkpoints of a topology: age, size, what they hold, whether they are whole.",
    discussion: "Reads the manifests only; `inspect` checks every file.")

  @OptionGroup var topology: TopologyArguments

  @Flag(help: "JSON instead of a table.")
  var json = false

  func run() throws {
    let directory = try topology.load().checkpointDirectory
    let entries: [CheckpointCatalog.Entry]
    do {
      entries = try CheckpointsCommand.isFolder(directory) ? CheckpointCatalog(directory: directory).entries : []
    } catch {
      throw CommandFailure.failed("weir: \(error)")
    }
    if json {
      print(JSONText.array(entries.map(CheckpointsListCommand.object)).text)
    } else if entries.isEmpty {
      StandardError.write("\(directory): no checkpoints\n")
    } else {
      let header = ["checkpoint", "age", "state", "new", "records", "output", ""]
      print(TextTable.render([header] + entries.map(row), numbers: [0, 1, 2, 3, 4, 5]), terminator: "")
    }
  }

  private func row(_ entry: CheckpointCatalog.Entry) -> [String] {
    switch entry.content {
    case .failure(let error): return ["\(entry.id)", "", "", "", "", "", "damaged: \(error.description)"]
    case .success(let manifest):
      return [
        "\(entry.id)", Numbers.age(milliseconds: CheckpointsCommand.now - manifest.createdAt),
        Numbers.size(manifest.stateBytes), Numbers.size(entry.newBytes), Numbers.grouped(manifest.recordsRead),
        "\(Numbers.grouped(manifest.parts.reduce(0) { $0 + $1.rows })) rows",
        manifest.isComplete ? "all input read" : "",
      ]
    }
  }

  private static func object(_ entry: CheckpointCatalog.Entry) -> JSONText {
    var fields: [(String, JSONText)] = [("id", .integer(entry.id)), ("path", .string(entry.path))]
    switch entry.content {
    case .failure(let error): fields += [("damaged", .string(error.description))]
    case .success(let manifest):
      fields += [
        ("created_at", .string(CivilTime.formatTimestamp(manifest.createdAt))),
        ("complete", .flag(manifest.isComplete)), ("state_bytes", .integer(Int64(manifest.stateBytes))),
        ("new_bytes", .integer(Int64(entry.newBytes))), ("duration_ms", .integer(manifest.durationMilliseconds)),
        ("records", .integer(Int64(manifest.recordsRead))),
        ("output_rows", .integer(Int64(manifest.parts.reduce(0) { $0 + $1.rows }))),
      ]
    }
    return .object(fields)
  }
}

/// `weir checkpoints inspect`.
struct CheckpointsInspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "One checkpoint or savepoint: where sources stand, each operator's state, counters; checks every file.",
    discussion: "Exit status 1 when a file is damaged or missing; then it says which.")

  @Argument(help: "The folder of a checkpoint or savepoint, or a topology: its newest checkpoint.")
  var path: String

  @Option(name: .customLong("set"), help: "Override a value of the topology. May be repeated.")
  var overrides: [String] = []

  @Flag(help: "JSON instead of tables.")
  var json = false

  func run() throws {
    let folder = try folder()
    let manifest: CheckpointManifest
    do {
      manifest = try CheckpointStorage.read(folder)
      try CheckpointStorage.verify(manifest, at: folder)
    } catch {
      throw CommandFailure.failed("weir: \(error)")
    }
    print(json ? CheckpointText.json(manifest, folder) : CheckpointText.tables(manifest, folder), terminator: "")
  }

  private func folder() throws -> String {
    if CheckpointsCommand.isFolder(path) { return path }
    let arguments = TopologyArguments.of(path, overrides)
    let directory = try arguments.load().checkpointDirectory
    guard let id = (try? CheckpointStorage.list(directory))?.last else {
      throw CommandFailure.failed("weir: \(directory): there is no checkpoint")
    }
    return "\(directory)/checkpoint-\(id)"
  }
}
