import EndToEndSupport
import Foundation
import KafkaClient
import RegistryDouble
import Testing

/// Avro records in topics, their schemas in a registry: a double of one, or the one that `WEIR_TEST_REGISTRY` names.
@Suite(.serialized) struct AvroTests {
  private static func withRegistry(_ body: (String) throws -> Void) throws {
    if let real = ProcessInfo.processInfo.environment["WEIR_TEST_REGISTRY"] { return try body(real) }
    let double = RegistryDouble()
    defer { double.stop() }
    try body(double.url)
  }

  private static func topology(_ bootstrap: String, source: String, sink: String) -> String {
    """
    weir: 1
    topology: avro-\(UUID().uuidString.prefix(8).lowercased())
    checkpoint: {interval: 50ms, timeout: 5s, directory: checkpoints}
    dead_letters: {connector: file, path: dead}
    sources:
      in: {connector: kafka, bootstrap: "\(bootstrap)", stop: latest, schema: {id: int64 not null, amount: "decimal(10,2)"}, \(source)}
    sinks:
      out: {from: in, \(sink)}
    """
  }

  @Test func whatOneJobWritesAsAvro_anotherReads_andASchemaThatNobodyKnowsIsADeadLetter() throws {
    let broker = try Broker.get()
    let json = try broker.makeTopic("json", partitions: 2)
    let avro = try broker.makeTopic("avro", partitions: 2)
    let lines = (0..<50).map { "{\"id\":\($0),\"amount\":\($0).25}" }
    try broker.fill(json, lines.map { (nil, $0) })
    try AvroTests.withRegistry { registry in
      let folder = try TestFolder()
      let write = AvroTests.topology(
        broker.bootstrap, source: "topic: \(json)",
        sink:
          "connector: kafka, bootstrap: \"\(broker.bootstrap)\", topic: \(avro), key: [id], format: avro, registry: \"\(registry)\""
      )
      let written = try WeirProcess.run(["run", try folder.write("write.yaml", write)])
      #expect(written.status == 0, "\(written.errors)")
      for record in try broker.committed(avro).joined() {
        #expect(record.value?.first == 0, "the wire format begins with a zero")
      }
      let producer = try broker.makeProducer()
      let topic = try producer.topic(avro)
      try [UInt8]([0, 0, 15, 66, 63, 2]).withUnsafeBytes { try producer.produce(to: topic, key: nil, value: $0) }
      try producer.flush(timeoutMilliseconds: Broker.timeout)
      let read = AvroTests.topology(
        broker.bootstrap, source: "topic: \(avro), format: avro, registry: \"\(registry)\"",
        sink: "connector: file, path: out")
      let result = try WeirProcess.run(["run", try folder.write("read.yaml", read)])
      #expect(result.status == 0, "\(result.errors)")
      #expect(folder.rows(in: "out") == lines.sorted())
      let dead = folder.rows(in: "dead")
      #expect(dead.count == 1 && dead.allSatisfy { $0.contains("999999") && $0.contains("not found") }, "\(dead)")
    }
  }
}
