import EndToEndSupport
import Foundation
import Testing

/// Which changes of a topology a checkpoint's state bears.
@Suite(.serialized) struct StateFitTests {
  struct Change: Sendable, CustomTestStringConvertible {
    let name: String
    let from: String
    let to: String
    /// What `weir plan` says; nil where the state carries over.
    var reason: String?
    /// What `weir run` says when it goes on.
    var notice: String?
    /// The step whose state has to be left behind for that.
    var drop: String?
    var testDescription: String { name }
  }

  static let topology = """
    weir: 1
    topology: edited
    checkpoint: {directory: checkpoints, interval: 1h}
    sources:
      usage:
        connector: generator
        kind: usage
        rows: 20000
        rate: 20000
        records_per_event_second: 1
    steps:
      valid: {from: usage, filter: "quantity >= 0"}
      once: {from: valid, deduplicate: {key: [record_id], within: 24h}}
      hourly: {from: once, aggregate: {key: [account_id, service], window: {tumble: 1h}, values: {records: count(*), quantity: sum(quantity)}}}
    sinks:
      hourly: {from: hourly, connector: file, path: hourly, format: json}
    """

  static let changes = [
    Change(name: "nothing", from: "weir: 1", to: "weir: 1"),
    Change(name: "another filter", from: "quantity >= 0", to: "quantity > 5"),
    Change(
      name: "a stateless step more", from: "  once: {from: valid,",
      to: "  named: {from: valid, extend: {twice: quantity * 2}}\n  once: {from: named,"),
    Change(name: "a stateless step less", from: "once: {from: valid,", to: "once: {from: usage,"),
    Change(name: "a value's name", from: "{records: count(*)", to: "{n: count(*)"),
    Change(
      name: "a sink more", from: "sinks:\n", to: "sinks:\n  copy: {from: once, connector: blackhole}\n"),
    Change(
      name: "a step with state more", from: "sinks:\n",
      to:
        "  daily: {from: once, aggregate: {key: [service], window: {tumble: 1d}, values: {n: count(*)}}}\nsinks:\n  daily: {from: daily, connector: blackhole}\n",
      notice: "steps.daily is new: it begins empty"),
    Change(
      name: "a window", from: "{tumble: 1h}", to: "{tumble: 2h}",
      reason: "steps.hourly: window was `tumble 3600000 ms, offset 0 ms` and is `tumble 7200000 ms, offset 0 ms`",
      drop: "hourly"),
    Change(
      name: "a key", from: "key: [account_id, service]", to: "key: [account_id, country]",
      reason: "steps.hourly: key was"),
    Change(
      name: "the values", from: "quantity: sum(quantity)}", to: "quantity: sum(quantity), most: max(quantity)}",
      reason: "steps.hourly: values was `count(*), sum(quantity)`"),
    Change(
      name: "a type", from: "once: {from: valid,",
      to: "typed: {from: valid, extend: {quantity: cast(quantity as int64)}}\n  once: {from: typed,",
      reason: "steps.hourly: columns read was"),
    Change(
      name: "how long duplicates are known", from: "within: 24h", to: "within: 12h", reason: "steps.once: within was",
      drop: "steps.once"),
    Change(
      name: "a step's name", from: "  hourly: {from: once, agg", to: "  perhour: {from: once, agg",
      reason: "steps.hourly: it has state, and the topology has no such step", drop: "hourly"),
    Change(
      name: "a source's name", from: "  usage:\n", to: "  records:\n",
      reason: "sources.usage: the checkpoint has read from it"),
    Change(name: "the parallelism", from: "weir: 1", to: "weir: 1\nparallelism: 7"),
  ]

  private static func edited(_ change: Change) -> String {
    var text = topology.replacingOccurrences(of: change.from, with: change.to)
    if change.name == "a step's name" {
      text = text.replacingOccurrences(of: "hourly: {from: hourly,", with: "hourly: {from: perhour,")
    }
    if change.name == "a source's name" { text = text.replacingOccurrences(of: "from: usage", with: "from: records") }
    return text
  }

  /// With its state left behind the topology goes on, also when its first attempt fails; without need nothing is left behind.
  private static func expectDrop(_ step: String, _ file: String, _ folder: TestFolder) throws {
    let name = step.replacing("steps.", with: "")
    let place = ["--set", "checkpoint.directory=\(file).dropped"]
    let from = ["--from", folder.path + "/save"]
    let plan = try WeirProcess.run(["plan", file, "--drop-state", step] + from)
    #expect(plan.status == 0 && plan.output.contains("entries, "), "\(plan.output)\(plan.errors)")
    let lines = plan.output.split(separator: "\n").map { $0.split(separator: " ").prefix(3).joined(separator: " ") }
    #expect(lines.contains("step \(name) dropped"), "\(plan.output)")
    let other = try WeirProcess.run(["run", file, "--drop-state", step, "--drop-state", "valid"] + from + place)
    #expect(other.status == 2 && other.errors.contains("valid: its state cannot be dropped: it has none"))
    let run = try WeirProcess.run(
      ["run", file, "--drop-state", step, "--set", "restart.initial_backoff=1ms"] + from + place,
      environment: ["WEIR_FAULT": "sink-sync:EIO:1"])
    #expect(run.status == 0 && run.errors.contains("attempt 1"), "\(run.errors)")
    #expect(run.errors.contains("steps.\(name): its state is dropped"), "\(run.errors)")
    #expect(run.errors.contains("state dropped: \(name), about "), "\(run.errors)")
    let inspected = try WeirProcess.run(["checkpoints", "inspect", file] + place)
    #expect(inspected.output.contains("state dropped: \(name), about "), "\(inspected.output)\(inspected.errors)")
  }

  @Test func planSaysWhatCarriesOver_andRunAgrees() throws {
    let folder = try TestFolder()
    let original = try folder.write("t.yaml", StateFitTests.topology)
    let running = try WeirProcess.start(["run", original])
    while !folder.contents.contains("checkpoints/edited/control") && running.process.isRunning { sched_yield() }
    let saved = try WeirProcess.run(["savepoint", original, folder.path + "/save"])
    #expect(saved.status == 0, "\(saved.errors)")
    kill(running.process.processIdentifier, SIGKILL)
    _ = running.wait()
    for (index, change) in StateFitTests.changes.enumerated() {
      let text = StateFitTests.edited(change)
      #expect(change.name == "nothing" || text != StateFitTests.topology, "\(change.name) changes nothing")
      let file = try folder.write("t\(index).yaml", text)
      let place = ["--set", "checkpoint.directory=\(folder.path)/c\(index)"]
      let plan = try WeirProcess.run(["plan", file, "--from", folder.path + "/save"])
      let run = try WeirProcess.run(["run", file, "--from", folder.path + "/save"] + place)
      if let reason = change.reason {
        let words = reason.split(separator: ": ", maxSplits: 1).last.map(String.init) ?? reason
        #expect(plan.status == 1 && plan.output.contains(words), "\(change.name): \(plan.output)\(plan.errors)")
        #expect(run.status == 1 && run.errors.contains(reason), "\(change.name): \(run.errors)")
      } else {
        #expect(plan.status == 0, "\(change.name): \(plan.output)\(plan.errors)")
        #expect(run.status == 0, "\(change.name): \(run.errors)")
      }
      if let drop = change.drop { try StateFitTests.expectDrop(drop, file, folder) }
      if let notice = change.notice { #expect(run.errors.contains(notice), "\(change.name): \(run.errors)") }
    }
  }
}
