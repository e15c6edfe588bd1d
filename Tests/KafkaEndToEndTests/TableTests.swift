import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// A lookup in a compacted topic.
@Suite(.serialized) struct TableTests {
  @Test func aLookupInATopic_takesTheNewestRecordOfEachKey_andWhatIsMissingIsADeadLetter() throws {
    let broker = try Broker.get()
    let rates = try broker.makeTopic("rates", partitions: 2)
    let charges = try broker.makeTopic("charges", partitions: 2)
    try broker.fill(
      rates,
      [
        ("EUR", #"{"base":"EUR","rate":1}"#), ("MAD", #"{"base":"MAD","rate":9}"#),
        ("USD", #"{"base":"USD","rate":3}"#),
        ("EUR", #"{"base":"EUR","rate":2}"#), ("USD", nil),
      ])
    try broker.fill(
      charges, [("1", #"{"id":1,"text":"EUR"}"#), ("2", #"{"id":2,"text":"MAD"}"#), ("3", #"{"id":3,"text":"USD"}"#)])
    let folder = try TestFolder()
    let lookup = """
        priced:
          from: all
          lookup:
            table: {connector: kafka, bootstrap: "\(broker.bootstrap)", topic: \(rates)}
            on: {text: base}
            take: {rate: int64}
      """
    let text = try SourceTests.topology(charges, "stop: latest", more: lookup).replacingOccurrences(
      of: "out: {from: all", with: "out: {from: priced")
    let result = try SourceTests.run(text, folder)
    #expect(result.status == 0, "\(result.errors)")
    #expect(
      folder.rows(in: "out") == [#"{"id":1,"text":"EUR","rate":2}"#, #"{"id":2,"text":"MAD","rate":9}"#])
    let dead = folder.rows(in: "dead")
    #expect(dead.count == 1 && dead.allSatisfy { $0.contains("missing") }, "\(dead)")
  }

  @Test func aTopicThatIsNotThere_endsTheStart_withItsName() throws {
    let broker = try Broker.get()
    let charges = try broker.makeTopic("charges", partitions: 1)
    let lookup = """
        priced:
          from: all
          lookup:
            table: {connector: kafka, bootstrap: "\(broker.bootstrap)", topic: no.such.rates}
            on: {text: base}
            take: {rate: int64}
      """
    let text = try SourceTests.topology(charges, "stop: latest", more: lookup).replacingOccurrences(
      of: "out: {from: all", with: "out: {from: priced")
    let result = try SourceTests.run(text, try TestFolder())
    #expect(result.status == 1, "\(result.errors)")
    #expect(
      result.errors.contains("steps.priced.lookup.table.topic: no.such.rates: there is no such topic"),
      "\(result.errors)")
  }
}
