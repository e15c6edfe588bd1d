import ArgumentParser
import Connectors
import Formats
import Topology

/// `weir replay`.
struct ReplayCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "replay", abstract: "Send dead letters back to their source as the records they were.",
    discussion: """
      Reads the dead letters of a topology, mended where need be (`record` is base64), and gives the records back in their
      source's own format: as new files in a directory, from which the source can read them, or on stdout. Rows that a step
      made have no record in a source; they are counted and left.
      """)

  @OptionGroup var topology: TopologyArguments

  @Option(help: "The letters: a file, a directory or a glob. Default: where the topology's dead letters go.")
  var letters: String?

  @Option(help: "The source whose records are sent back. Default: the only one that the topology has.")
  var source: String?

  @Option(help: "Only letters of this step, or source.")
  var step: String?

  @Option(help: "Only letters of this port: error, late, missing, rejected.")
  var port: String?

  @Option(help: "Where records go: a directory for files, - for stdout, or `topic`: the topics they came from.")
  var to = "-"

  func run() throws {
    let plan = try topology.load()
    let source = try chosenSource(plan)
    let (path, format) = try place(plan)
    do {
      let target = try source.connector.makeReplayTarget(
        name: source.name, job: plan.name, format: source.format, to: destination)
      try replay(DeadLetterReader(path: path, format: format), source.name, target)
    } catch let error as ConnectorError {
      throw CommandFailure.failed("weir: \(error)")
    }
  }

  private var destination: ReplayDestination {
    switch to {
    case "-": .standardOutput
    case "topic": .topic
    default: .directory(to)
    }
  }

  /// The files that hold the letters, and their format.
  private func place(_ plan: LogicalPlan) throws -> (path: String, format: Format) {
    switch plan.deadLetters.connector {
    case .file(let path, let format): return (letters ?? path, format)
    case .kafka(let spec):
      if let letters { return (letters, spec.format) }
      throw CommandFailure.wrong(
        "\(topology.file): dead_letters: are in the topic \(spec.topic) — read it into a file, one letter a line, and give that with --letters"
      )
    case .console, .blackhole:
      if let letters { return (letters, .json) }
      throw CommandFailure.wrong("\(topology.file): dead_letters: are not kept — give a file of them with --letters")
    }
  }

  private func chosenSource(_ plan: LogicalPlan) throws -> SourcePlan {
    let names = plan.sources.map(\.name).joined(separator: ", ")
    guard let source else {
      if plan.sources.count == 1 { return plan.sources[0] }
      throw CommandFailure.wrong("weir: the topology has several sources — choose one with --source: \(names)")
    }
    guard let found = plan.sources.first(where: { $0.name == source }) else {
      throw CommandFailure.wrong("weir: there is no source `\(source)` — the sources are \(names)")
    }
    return found
  }

  private func replay(_ reader: DeadLetterReader, _ name: String, _ target: any ReplayTarget) throws {
    var (sent, made, others) = (0, 0, 0)
    do {
      try reader.read { (letter) throws(ConnectorError) in
        if step.map({ $0 != letter.step }) ?? false || port.map({ $0 != letter.port }) ?? false { return others += 1 }
        guard let source = letter.source else { return made += 1 }
        guard source == name else { return others += 1 }
        try target.write(letter)
        sent += 1
      }
      let places = try target.finish()
      StandardError.write(
        "replayed \(Numbers.grouped(sent)) records of \(name)\(places.isEmpty ? "" : " to \(places.joined(separator: ", "))")\n"
      )
    } catch {
      target.abandon()
      throw error
    }
    if made > 0 { StandardError.write("left \(Numbers.grouped(made)) rows that a step made\n") }
    if others > 0 { StandardError.write("left \(Numbers.grouped(others)) letters that were not asked for\n") }
  }
}
