import ArgumentParser
import Glibc
import Runtime
import Topology

/// `weir run`.
struct RunCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run", abstract: "Run a topology until its input ends or it is interrupted.")

  @OptionGroup var topology: TopologyArguments

  @Option(help: "Where to begin: latest (the newest checkpoint), none (anew), or the path of a checkpoint.")
  var from = "latest"

  @Flag(help: "With Kafka: begin although marker and checkpoints do not fit; rows may be lost or doubled.")
  var acceptLossOrDuplicates = false

  @OptionGroup var drop: StateDropArguments

  @Flag(help: "No progress line and no summary.")
  var quiet = false

  func run() async throws {
    Signals.watch()
    let plan = try topology.load()
    let job: JobSupervisor
    let clock = ContinuousClock()
    let start = clock.now
    do {
      job = try JobSupervisor(plan, options: options(plan.name)) { RunCommand.say($0, plan.name) }
    } catch .request(let reason) {
      throw CommandFailure.wrong("weir: \(reason)")
    } catch {
      throw CommandFailure.failed("weir: \(error)")
    }
    for notice in job.notices { StandardError.write("weir: \(plan.name): \(notice)\n") }
    if let id = job.restoredFrom, !quiet {
      let seconds = Numbers.seconds(nanoseconds: Int64((clock.now - start) / .nanoseconds(1)))
      StandardError.write("\(plan.name): going on from checkpoint \(id), restored in \(seconds)\n")
    }
    let monitor = RunMonitor(job: job, showsProgress: !quiet && StandardError.isTerminal)
    let summary: JobSummary
    do {
      summary = try await monitor.run()
    } catch is CancellationError {
      throw CommandFailure.interrupted
    } catch {
      throw CommandFailure.failed("weir: \(plan.name) failed: \(error)")
    }
    if summary.hadNothingNew, !quiet {
      StandardError.write("\(plan.name): done before, and there is no new input (--from none runs it anew)\n")
    }
    if !quiet { StandardError.write(SummaryTable.render(summary, topology: plan.name)) }
    // The process ends here, and its memory with it: to free every table first would only take time.
    withExtendedLifetime(job) { Glibc.exit(summary.isComplete ? 0 : CommandFailure.interrupted.status) }
  }
}

extension RunCommand {
  /// Says on stderr that a job failed and goes on.
  private static func say(_ state: JobSupervisor.State, _ name: String) {
    guard case .restarting(let attempt, let at, let failure) = state else { return }
    let pause = Numbers.seconds(nanoseconds: max(0, at - failure.at) * 1_000_000)
    StandardError.write(
      "weir: \(name) failed: \(failure.reason)\n"
        + "weir: \(name): attempt \(attempt) to go on from the last checkpoint in \(pause)\n")
  }

  private func options(_ name: String) -> JobOptions {
    var options = JobOptions()
    options.acceptsLossOrDuplicates = acceptLossOrDuplicates
    options.dropState = drop.request
    options.notice = { StandardError.write("weir: \(name): \($0)\n") }
    switch from {
    case "latest": options.from = .latest
    case "none": options.from = .beginning
    default: options.from = .checkpoint(path: from)
    }
    return options
  }
}

/// `weir validate`.
struct ValidateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "validate", abstract: "Check a topology and list everything that is wrong with it.")

  @OptionGroup var topology: TopologyArguments

  func run() throws {
    let plan = try topology.load()
    StandardError.write(
      "\(topology.file): valid: \(plan.sources.count) sources, \(plan.steps.count) steps, \(plan.sinks.count) sinks\n")
  }
}

/// `weir explain`.
struct ExplainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "explain", abstract: "Show what a topology does: sources, steps, exchanges, sinks.")

  enum Style: String, CaseIterable, ExpressibleByArgument {
    case text, mermaid, json
    case flinkSQL = "flink-sql"
  }

  @OptionGroup var topology: TopologyArguments

  @Option(help: "text, mermaid, json or flink-sql.")
  var format = Style.text

  func run() throws {
    let plan = try topology.load()
    switch format {
    case .text: print(PlanExplainer.text(plan))
    case .mermaid: print(PlanExplainer.mermaid(plan))
    case .json: print(PlanExplainer.json(plan))
    case .flinkSQL: print(PlanExplainer.flinkSQL(plan))
    }
  }
}
