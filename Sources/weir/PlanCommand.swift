import ArgumentParser
import Runtime
import Topology

/// `weir plan`.
struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan",
    abstract: "Say, for every source and step, whether a checkpoint's state carries over to a topology.",
    discussion:
      "Starts nothing. Exit status 1 when something is incompatible: `run` would refuse it. --drop-state shows what "
      + "`run` would do with it.")

  @OptionGroup var topology: TopologyArguments

  @Option(help: "latest (the newest checkpoint), or the path of a checkpoint or savepoint.")
  var from = "latest"

  @OptionGroup var drop: StateDropArguments

  @Flag(help: "JSON instead of a table.")
  var json = false

  func run() throws {
    let plan = try topology.load()
    let fit: StateFit
    let path: String
    do {
      let checked = try StateFit.check(plan, from: from == "latest" ? nil : from, dropping: drop.request)
      (fit, path) = (checked.fit, checked.path)
    } catch {
      throw CommandFailure.failed("weir: \(error)")
    }
    if json {
      print(PlanCommand.object(fit, path).text)
    } else {
      print("\(plan.name) from checkpoint \(fit.checkpoint): \(path)")
      print(TextTable.render(fit.items.flatMap(PlanCommand.rows)), terminator: "")
      print(fit.isCompatible ? "it can go on from there" : "it cannot go on from there")
    }
    if !fit.dropFaults.isEmpty {
      throw CommandFailure.wrong(fit.dropFaults.map { "weir: \($0)" }.joined(separator: "\n"))
    }
    if !fit.isCompatible { throw CommandFailure.failed("") }
  }

  private static func rows(_ item: StateFit.Item) -> [[String]] {
    let name = "\(item.kind.rawValue) \(item.name)"
    switch item.verdict {
    case .stateless: return [[name, "no state"]]
    case .carriesOver where item.kind == .source:
      return [[name, "goes on", "\(Numbers.grouped(item.entryCount)) partitions"]]
    case .carriesOver:
      return [
        [name, "carries over", "about \(Numbers.grouped(item.entryCount)) entries, \(Numbers.size(item.sizeBytes))"]
      ]
    case .new: return [[name, "new", item.kind == .source ? "read from its beginning" : "begins empty"]]
    case .incompatible(let reasons): return reasons.map { [name, "incompatible", $0] }
    case .dropped(let reasons):
      let lost = "about \(Numbers.grouped(item.entryCount)) entries, \(Numbers.size(item.sizeBytes)) are left behind"
      return [[name, "dropped", lost]] + reasons.map { [name, "dropped", $0] }
    }
  }

  private static func object(_ fit: StateFit, _ path: String) -> JSONText {
    .object([
      ("checkpoint", .integer(fit.checkpoint)), ("path", .string(path)), ("compatible", .flag(fit.isCompatible)),
      (
        "items",
        .array(
          fit.items.map { item in
            let (verdict, reasons) = PlanCommand.words(item.verdict)
            return .object([
              ("kind", .string(item.kind.rawValue)), ("name", .string(item.name)), ("verdict", .string(verdict)),
              ("reasons", .array(reasons.map { .string($0) })),
            ])
          })
      ),
    ])
  }

  private static func words(_ verdict: StateFit.Verdict) -> (String, [String]) {
    switch verdict {
    case .carriesOver: ("carries_over", [])
    case .stateless: ("stateless", [])
    case .new: ("new", [])
    case .incompatible(let reasons): ("incompatible", reasons)
    case .dropped(let reasons): ("dropped", reasons)
    }
  }
}
