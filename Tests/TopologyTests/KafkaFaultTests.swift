import Connectors
import Foundation
import Testing

@testable import Topology

/// Faults of `connector: kafka`, and what a right one means.
struct KafkaFaultTests {
  static func text(source: String = "topic: usage", sink: String = "topic: out", more: String = "") -> String {
    """
    weir: 1
    topology: t
    sources:
      s: {connector: kafka, bootstrap: "b:9092", schema: {a: string, at: timestamp}, \(source)}
    sinks:
      o: {from: s, connector: kafka, bootstrap: "b:9092", \(sink)}
    \(more)

    """
  }

  static func expect(_ text: String, environment: [String: String] = [:], _ expected: [String]) {
    #expect(faults(text, environment: environment) == expected)
  }

  @Test func everyFaultIsNamedWithItsPlaceAndMend() {
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "start: earlest"),
      [
        "4:3: sources.s.topic: is missing — write the topic to read: topic: usage",
        "4:89: sources.s.start: `earlest` is not known here — did you mean `earliest`?",
      ])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "topic: [a, b c], pattern: 'x('"),
      ["4:82: sources.s.topic: stands beside `pattern:` — remove one of them"])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "topic: [a, b c]"),
      ["4:93: sources.s.topic[1]: `b c` is no topic's name — use 1 to 249 of a-z, A-Z, 0-9, `.`, `_` and `-`"])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "pattern: 'x('"),
      [
        "4:91: sources.s.pattern: `x(` is no pattern — write an extended regular expression over whole names, such as usage\\..*"
      ])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "topic: u, start: timestamp"),
      ["4:3: sources.s.timestamp: is missing — write where to start: timestamp: 2026-01-01T00:00:00Z"])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "topic: u, message: {a: key, k: kee}"),
      ["4:113: sources.s.message.k: `kee` is not known here — did you mean `key`?"])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "topic: u, message: {a: key}"),
      ["4:102: sources.s.message.a: `a` is a column of the schema already — give this one another name"])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(source: "topic: u, format: csv, header: true"),
      [
        "4:113: sources.s.header: records of a topic come one by one, without a header — write `header: false`, or leave it out"
      ])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(sink: "topic: out, key: [b]"),
      ["6:73: sinks.o.key[0]: there is no column `b` — known here: a, at"])
  }

  @Test func brokersAreHostsWithPorts() {
    KafkaFaultTests.expect(
      KafkaFaultTests.text().replacingOccurrences(
        of: "from: s, connector: kafka, bootstrap: \"b:9092\"", with: "from: s, connector: kafka, bootstrap: broker"),
      [
        "6:45: sinks.o.bootstrap: `broker` names no brokers — write host:port, several separated by commas: localhost:9092"
      ])
  }

  @Test func propertiesAreLibrdkafkas_andThoseThatWeirNeedsCannotBeSet() {
    KafkaFaultTests.expect(
      KafkaFaultTests.text(sink: "topic: out, properties: {linger.ms: soon, acks: 1, lnger.ms: 5}"),
      [
        "6:80: sinks.o.properties.linger.ms: Invalid value for configuration property \"queue.buffering.max.ms\" — see librdkafka's list of configuration properties",
        "6:97: sinks.o.properties.acks: cannot be set: Weir needs all — remove it",
        "6:106: sinks.o.properties.lnger.ms: librdkafka has no such property — see librdkafka's list of configuration properties",
      ])
  }

  @Test func aSecretComesFromTheEnvironment_andIsNotShown() throws {
    let written = KafkaFaultTests.text(sink: "topic: out, properties: {sasl.password: hunter2}")
    KafkaFaultTests.expect(
      written,
      [
        "6:80: sinks.o.properties.sasl.password: is a secret and stands in the topology — write ${NAME} and put it into the environment"
      ])
    let text = KafkaFaultTests.text(sink: "topic: out, properties: {sasl.password: \"${PASSWORD}\"}")
    let plan = try load(text, environment: ["PASSWORD": "hunter2"])
    for shown in [PlanExplainer.text(plan), PlanExplainer.json(plan), PlanExplainer.mermaid(plan)] {
      #expect(!shown.contains("hunter2"))
    }
    guard case .kafka(let spec) = plan.sinks[0].connector else {
      Issue.record("no Kafka sink")
      return
    }
    #expect(spec.cluster.properties == ["sasl.password": "hunter2"])
  }

  @Test func exactlyOnceSinksShareOneClusterAndItsProperties() {
    let other = #"  p: {from: s, connector: kafka, topic: p, bootstrap: "c:9092"}"#
    KafkaFaultTests.expect(
      KafkaFaultTests.text(more: other),
      [
        "7:55: sinks.p.bootstrap: the sink `o` writes exactly once to another cluster, and a transaction has one — write to the same brokers, or `delivery: at_least_once` in one of them"
      ])
    let loose = #"  p: {from: s, connector: kafka, topic: p, bootstrap: "c:9092", delivery: at_least_once}"#
    KafkaFaultTests.expect(KafkaFaultTests.text(more: loose), [])
    let properties = #"  p: {from: s, connector: kafka, topic: p, bootstrap: "b:9092", properties: {linger.ms: 5}}"#
    KafkaFaultTests.expect(
      KafkaFaultTests.text(more: properties),
      [
        "7:65: sinks.p.properties: the sink `o` has other properties, and the job's exactly-once sinks share their producers — give them the same `properties:`"
      ])
  }

  @Test func aTransactionTimeoutCoversTheCheckpoint_orTheFiguresAreSaid() {
    let settings = "checkpoint: {interval: 10s, timeout: 2m}"
    KafkaFaultTests.expect(
      KafkaFaultTests.text(sink: "topic: out, transaction_timeout: 1m", more: settings),
      [
        "6:88: sinks.o.transaction_timeout: a transaction may stay open for 190s: checkpoint.interval 10s, min_pause 0s, timeout 2m and 1m for the commit — write 190s or more, or lower checkpoint.timeout"
      ])
    KafkaFaultTests.expect(
      KafkaFaultTests.text(sink: "topic: out, transaction_timeout: 190s", more: settings), [])
  }

  @Test func theDefaultsAreThoseOfTheLanguage() throws {
    let plan = try load(KafkaFaultTests.text())
    guard case .kafka(let source) = plan.sources[0].connector, case .kafka(let sink) = plan.sinks[0].connector else {
      Issue.record("no Kafka")
      return
    }
    #expect(source.topics == .named(["usage"]) && source.start == .earliest && !source.isBounded)
    #expect(source.discoveryMilliseconds == 30_000 && source.group == nil)
    #expect(sink.isTransactional && sink.key.isEmpty && sink.topic == "out")
    #expect(plan.sinks[0].delivery == .exactlyOnce)
  }

  @Test func deadLettersMayGoToATopic() throws {
    let plan = try load(
      KafkaFaultTests.text(more: #"dead_letters: {connector: kafka, bootstrap: "b:9092", topic: dead, key: [step]}"#))
    guard case .kafka(let spec) = plan.deadLetters.connector else {
      Issue.record("no Kafka")
      return
    }
    #expect(spec.topic == "dead" && spec.key == [1])
  }
}
