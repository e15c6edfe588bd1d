import ArgumentParser
import Connectors
import Runtime

/// `weir txn`.
struct TransactionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "txn", abstract: "Look at the Kafka transactions of a job that died, or abort them.",
    discussion: """
      What a dead job left open holds back the readers of its topics until the job starts again, the transaction times \
      out, or it is aborted here.
      """,
    subcommands: [ListCommand.self, AbortCommand.self])

  struct ListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "list", abstract: "Show the job's marker, and in which partitions readers are held back.")

    @OptionGroup var topology: TopologyArguments

    func run() throws {
      let transactions = try TransactionCommand.transactions(of: topology)
      let report: KafkaTransactionReport
      do { report = try transactions.report() } catch { throw CommandFailure.failed("weir: \(error)") }
      print(TransactionCommand.text(report))
    }
  }

  struct AbortCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
      commandName: "abort", abstract: "Abort what the job left open; a process elsewhere that still runs it is ended.")

    @OptionGroup var topology: TopologyArguments

    func run() throws {
      let transactions = try TransactionCommand.transactions(of: topology)
      do { try transactions.abort() } catch { throw CommandFailure.failed("weir: \(error)") }
      StandardError.write("aborted: readers of the job's topics are held back no longer\n")
    }
  }

  private static func transactions(of topology: TopologyArguments) throws -> JobTransactions {
    let plan = try topology.load()
    guard let transactions = JobTransactions(plan) else {
      throw CommandFailure.wrong("\(topology.file): \(plan.name) has no Kafka sink that delivers exactly once")
    }
    return transactions
  }

  private static func text(_ report: KafkaTransactionReport) -> String {
    var lines = [
      report.marker.map { "committed checkpoint: \($0.number) (job \(String($0.identity, radix: 16)))" }
        ?? "committed checkpoint: none; the job never started on this cluster",
      "transactional ids: \(report.transactionalIDs.joined(separator: ", "))",
    ]
    for partition in report.partitions {
      lines.append(
        partition.heldBack == 0
          ? "\(partition.place): nothing is open, all \(Numbers.grouped(Int(partition.end))) offsets can be read"
          : "\(partition.place): open; readers wait at offset \(partition.stableEnd), \(Numbers.grouped(Int(partition.heldBack))) offsets are held back"
      )
    }
    return lines.joined(separator: "\n")
  }
}
