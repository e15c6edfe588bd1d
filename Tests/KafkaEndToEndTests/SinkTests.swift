import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// What a Kafka sink writes.
@Suite(.serialized) struct SinkTests {
  static func topology(_ topic: String, _ sink: String, rows: Int = 500) throws -> String {
    """
    weir: 1
    topology: sink-\(UUID().uuidString.prefix(8).lowercased())
    parallelism: 2
    checkpoint: {interval: 50ms, timeout: 5s, directory: checkpoints}
    dead_letters: {connector: file, path: dead}
    sources:
      usage: {connector: generator, rows: \(rows), accounts: 20, seed: 3}
    sinks:
      out: {from: usage, connector: kafka, bootstrap: "\(try Broker.get().bootstrap)", topic: \(topic)\(sink)}
      copy: {from: usage, connector: file, path: copy}
    """
  }

  @Test(arguments: ["exactly_once", "at_least_once"])
  func everyRowIsARecord_keyed_andAKeysRowsKeepTheirOrder(_ delivery: String) throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("sink", partitions: 3)
    let folder = try TestFolder()
    let text = try SinkTests.topology(topic, ", key: [account_id], delivery: \(delivery)")
    let result = try WeirProcess.run(["run", try folder.write("t.yaml", text)])
    #expect(result.status == 0, "\(result.errors)")
    // The same seed gives the same records in the same order.
    let generated = try WeirProcess.run(["generate", "--rows", "500", "--accounts", "20", "--seed", "3"])
    let order = generated.output.split(separator: "\n").map { String($0.prefix { $0 != "," }) }
    let partitions = try broker.committed(topic)
    #expect(partitions.joined().map(\.text).sorted() == folder.rows(in: "copy"))
    for records in partitions {
      #expect(!records.isEmpty)
      for (key, own) in Dictionary(grouping: records, by: \.key) {
        let account = key.map { String(decoding: $0, as: UTF8.self) } ?? ""
        #expect(own.allSatisfy { $0.text.contains("\"account_id\":\"\(account)\"") })
        let ids = Set(own.map { String($0.text.prefix { $0 != "," }) })
        let sent = own.map { String($0.text.prefix { $0 != "," }) }
        #expect(sent == order.filter(ids.contains), "records of \(account) lost their order")
      }
    }
  }

  /// Kafka's own test vectors of murmur2 would do; these are keys and the partitions that the Java client chooses.
  @Test func keysGoWhereKafkasOwnClientsPutThem() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("murmur", partitions: 16)
    let keys = ["21", "foobar", "a-little-bit-long-string", "a-little-bit-longer-string", "abc", "acc-000001"]
    try broker.fill(topic, keys.map { ($0, "x") })
    for (partition, records) in try broker.committed(topic).enumerated() {
      for record in records {
        let key = try #require(record.key)
        #expect(Int(SinkTests.murmur2(key) & 0x7FFF_FFFF) % 16 == partition)
      }
    }
  }

  /// Murmur2 as Kafka's clients compute it; its values for known texts are checked below.
  static func murmur2(_ data: [UInt8]) -> UInt32 {
    let m: UInt32 = 0x5BD1_E995
    var h: UInt32 = 0x9747_B28C ^ UInt32(data.count)
    var index = 0
    while index + 4 <= data.count {
      var k = UInt32(data[index]) | UInt32(data[index + 1]) << 8 | UInt32(data[index + 2]) << 16
      k |= UInt32(data[index + 3]) << 24
      k = k &* m
      k ^= k >> 24
      k = k &* m
      h = (h &* m) ^ k
      index += 4
    }
    let rest = data.count - index
    if rest >= 3 { h ^= UInt32(data[index + 2]) << 16 }
    if rest >= 2 { h ^= UInt32(data[index + 1]) << 8 }
    if rest >= 1 { h = (h ^ UInt32(data[index])) &* m }
    h ^= h >> 13
    h = h &* m
    return h ^ (h >> 15)
  }

  @Test(arguments: [
    ("21", Int32(-973_932_308)), ("foobar", -790_332_482), ("a-little-bit-long-string", -985_981_536),
    ("a-little-bit-longer-string", -1_486_304_829), ("abc", 479_470_107),
  ])
  func murmur2_hasTheValuesOfKafkasOwnTests(_ text: String, _ expected: Int32) {
    #expect(Int32(bitPattern: SinkTests.murmur2(Array(text.utf8))) == expected)
  }

  @Test func aMissingTopic_isRefusedBeforeAnythingIsCreated() throws {
    let folder = try TestFolder()
    for delivery in ["exactly_once", "at_least_once"] {
      let text = try SinkTests.topology("no.such.sink", ", delivery: \(delivery)")
      let result = try WeirProcess.run(["run", try folder.write("t.yaml", text)])
      #expect(result.status == 1 && result.errors.contains("there is no such topic"), "\(result.errors)")
      #expect(folder.rows(in: "copy").isEmpty)
    }
  }

  @Test func transactionsOfADeadJob_canBeSeenAndAborted() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("left", partitions: 1)
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", try SinkTests.topology(topic, "", rows: 2000))
    let died = try WeirProcess.run(["run", "--quiet", file], environment: ["WEIR_CRASH_POINT": "manifest-durable"])
    #expect(died.status == 128 + SIGKILL, "\(died.errors)")
    let list = try WeirProcess.run(["txn", "list", file])
    #expect(list.status == 0, "\(list.errors)")
    #expect(list.output.contains("committed checkpoint: 0") && list.output.contains("\(topic)-0"), "\(list.output)")
    let abort = try WeirProcess.run(["txn", "abort", file])
    #expect(abort.status == 0 && abort.errors.contains("aborted"), "\(abort.errors)")
    #expect(try broker.committed(topic)[0].isEmpty, "nothing of it was committed")
    let again = try WeirProcess.run(["run", file])
    #expect(again.status == 0, "\(again.errors)")
    #expect(try broker.committed(topic)[0].count == 2000)
    let other = try folder.write("f.yaml", try SinkTests.topology(topic, ", delivery: at_least_once"))
    #expect(try WeirProcess.run(["txn", "list", other]).status == 2)
  }
}
