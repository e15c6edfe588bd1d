import Checkpoint
import Connectors
import Topology

/// The Kafka transactions of a job that is not running, looked at and aborted from outside: `weir txn`.
package struct JobTransactions {
  private let plan: LogicalPlan
  private let sinks: [(name: String, spec: KafkaSinkSpec)]

  /// Nil for a job without exactly-once Kafka sinks.
  package init?(_ plan: LogicalPlan) {
    self.plan = plan
    sinks = KafkaCommitPoint.sinks(of: plan)
    if sinks.isEmpty { return nil }
  }

  package func report() throws(JobError) -> KafkaTransactionReport {
    do {
      var topics: [String] = []
      for sink in sinks where !topics.contains(sink.spec.topic) { topics.append(sink.spec.topic) }
      return try KafkaTransactionReport(job: plan.name, cluster: sinks[0].spec.cluster, topics: topics)
    } catch { throw .connector(error) }
  }

  /// Aborts what the job left open. Refuses while a process here runs it; one elsewhere is fenced and ends.
  package func abort() throws(JobError) {
    do {
      let storage = try CheckpointStorage(directory: plan.checkpointDirectory)
      try withExtendedLifetime(storage) { () throws(ConnectorError) in
        try KafkaTransactionReport.abort(job: plan.name, cluster: sinks[0].spec.cluster)
      }
    } catch let error as ConnectorError {
      throw .connector(error)
    } catch let error as CheckpointError {
      throw .checkpoint(error)
    } catch {
      throw .operation(step: "transactions", reason: "\(error)")
    }
  }
}
