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

  @Option(help: "Where records go: a directory for files, or - for stdout.")
  var to = "-"

  func run() throws {
    let plan = try topology.load()
    let source = try chosenSource(plan)
    guard case .file(let path, let format) = plan.deadLetters.connector else {
      throw CommandFailure.wrong(
        "\(topology.file): dead_letters: are not written to files — give the letters with --letters and `connector: file`"
      )
    }
    do {
      let target = try source.connector.makeReplayTarget(
        name: source.name, format: source.format, directory: to == "-" ? nil : to)
      try replay(DeadLetterReader(path: letters ?? path, format: format), source.name, target)
    } catch let error as ConnectorError {
      throw CommandFailure.failed("weir: \(error)")
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
