import ArgumentParser
import Glibc
import Runtime
import Topology

/// Which topology, and what is overridden in it.
struct TopologyArguments: ParsableArguments {
  @Argument(help: "The topology: a YAML file.")
  var file: String

  @Option(name: .customLong("set"), help: "Override a value: --set sources.usage.path=/data/in. May be repeated.")
  var overrides: [String] = []

  /// The same from a path and overrides that came in another way.
  static func of(_ file: String, _ overrides: [String]) -> TopologyArguments {
    var arguments = TopologyArguments()
    arguments.file = file
    arguments.overrides = overrides
    return arguments
  }

  /// Reads and checks the topology; every fault of it is one line on stderr and exit status 2.
  func load() throws -> LogicalPlan {
    do {
      return try TopologyLoader.load(file: file, overrides: overrides, environment: Environment.all)
    } catch {
      throw CommandFailure.wrong(error.description)
    }
  }
}

/// Whose state a start leaves behind.
struct StateDropArguments: ParsableArguments {
  @Option(
    name: .customLong("drop-state"),
    help: ArgumentHelp(
      "Leave the state of this step behind where it does not fit; all else is restored. May be repeated.",
      discussion: "A step's name, or views.NAME. A name whose state fits, or that is not there, is a fault.",
      valueName: "step"))
  var names: [String] = []

  var request: StateDrop { StateDrop(names) }
}

/// The process's environment variables.
enum Environment {
  static var all: [String: String] {
    var variables: [String: String] = [:]
    var cursor = environ
    while let entry = cursor.pointee {
      let text = String(cString: entry)
      if let separator = text.firstIndex(of: "=") {
        variables[String(text[..<separator])] = String(text[text.index(after: separator)...])
      }
      cursor += 1
    }
    return variables
  }
}
