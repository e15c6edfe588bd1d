import Formats
import KafkaClient
import StreamModel

/// Writes rows to a topic: `connector: kafka`.
///
/// Exactly once, through the job's `KafkaTransactions`: rows go into the transaction of this writer's epoch; `prepare` waits
/// until the brokers have acknowledged them, after which the next row belongs to the next epoch, unless the checkpoint was
/// given up meanwhile. What commits them is the transaction, not `commit`. At least once, through an idempotent producer of the writer's own: `prepare` waits for its
/// acknowledgements.
package final class KafkaSinkWriter: SinkWriter {
  /// How long `prepare` waits for acknowledgements at most.
  private static let flushTimeoutMilliseconds: Int32 = 120_000
  /// How long `open` waits for a broker.
  private static let openTimeoutMilliseconds: Int32 = 10_000

  private let spec: KafkaSinkSpec
  private let place: String
  private let transactions: KafkaTransactions?
  private let encoder: KafkaRecordEncoder
  private let headers: KafkaHeaders
  private var producer: KafkaProducer?
  private var epoch: Int

  package init(
    _ spec: KafkaSinkSpec, schema: Schema, place: String, job: String, transactions: KafkaTransactions?
  ) {
    self.spec = spec
    self.place = place
    self.transactions = spec.isTransactional ? transactions : nil
    epoch = self.transactions?.nextEpoch ?? 0
    encoder = KafkaRecordEncoder(
      format: spec.format, key: spec.key, schema: schema, subject: "\(spec.topic)-value")
    headers = KafkaHeaders([("weir-topology", job), ("weir-schema", KafkaSinkWriter.version(of: schema))])
  }

  /// Names a schema: the same fields have the same version, in every run.
  package static func version(of schema: Schema) -> String {
    let text = Array("\(schema)".utf8)
    let digits = String(text.withUnsafeBytes { KeyEncoder.hash($0) }, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }

  package func open() throws(ConnectorError) {
    guard transactions == nil, producer == nil else { return }
    let producer: KafkaProducer
    let topic: KafkaHandle.Topic?
    do {
      producer = try KafkaProducer(spec.cluster)
      topic = try producer.handle.topic(spec.topic, timeoutMilliseconds: KafkaSinkWriter.openTimeoutMilliseconds)
    } catch { throw failure(error) }
    if topic == nil { throw KafkaSinkWriter.noTopic(spec, place: place) }
    self.producer = producer
  }

  package static func noTopic(_ spec: KafkaSinkSpec, place: String) -> ConnectorError {
    ConnectorError(
      "\(place).topic: \(spec.topic): there is no such topic at \(spec.cluster.bootstrap) — create it, or correct the name"
    )
  }

  private func failure(_ error: KafkaError) -> ConnectorError {
    .kafka(error, place: "\(place): topic \(spec.topic)", bootstrap: spec.cluster.bootstrap)
  }

  package func write(_ batch: RecordBatch) throws(ConnectorError) {
    if batch.count == 0 { return }
    try open()
    do {
      try encoder.encode(batch)
    } catch {
      throw ConnectorError("\(place): \(error)", isRetriable: error.isRetriable)
    }
    do {
      guard let producer = try transactions?.producer(ofEpoch: epoch) ?? producer else { return }
      let topic = try producer.topic(spec.topic)
      try encoder.forEach(batch) { (key, value) throws(KafkaError) in
        try producer.produce(to: topic, key: key, value: value, headers: headers)
      }
    } catch {
      throw failure(error)
    }
  }

  package func prepare(checkpoint: Int64) throws(ConnectorError) -> [PendingPart] {
    do {
      if let transactions {
        try transactions.flush(epoch: epoch, timeoutMilliseconds: KafkaSinkWriter.flushTimeoutMilliseconds)
        if transactions.pass(checkpoint) { epoch += 1 }
      } else {
        try producer?.flush(timeoutMilliseconds: KafkaSinkWriter.flushTimeoutMilliseconds)
      }
    } catch {
      throw failure(error)
    }
    return []
  }

  package func commit(_ parts: [PendingPart]) throws(ConnectorError) {}
  package func close() { producer = nil }
}
