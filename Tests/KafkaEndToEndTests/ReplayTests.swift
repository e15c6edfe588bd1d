import EndToEndSupport
import Foundation
import KafkaClient
import Testing

/// Dead letters of a topic, mended and sent back to it.
@Suite(.serialized) struct ReplayTests {
  @Test func mendedLetters_goBackToTheirPartitions_andAreReadOnce() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("replay", partitions: 3)
    let producer = try broker.makeProducer()
    let target = try producer.topic(topic)
    for (partition, text) in [(Int32(0), "{\"id\":1}"), (1, "broken"), (2, "{\"id\":2}")] {
      try Broker.withBytes(text) { try producer.produce(to: target, key: nil, value: $0, partition: partition) }
    }
    try producer.flush(timeoutMilliseconds: Broker.timeout)
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", try SourceTests.topology(topic, "stop: latest"))
    #expect(try WeirProcess.run(["run", file]).status == 0)
    let letters = folder.rows(in: "dead")
    #expect(letters.count == 1, "\(letters)")
    func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }
    let mended = letters.map { $0.replacingOccurrences(of: base64("broken"), with: base64("{\"id\":3}")) }
    let mendedFile = try folder.write("mended.json", mended.joined(separator: "\n") + "\n")
    let replayed = try WeirProcess.run(["replay", file, "--letters", mendedFile, "--to", "topic"])
    #expect(replayed.status == 0 && replayed.errors.contains("\(topic)-1"), "\(replayed.errors)")
    #expect(try broker.committed(topic)[1].last?.text == "{\"id\":3}")
    #expect(try WeirProcess.run(["run", file]).status == 0)
    #expect(folder.rows(in: "out") == (1...3).map { "{\"id\":\($0),\"text\":null}" })
  }

  @Test func aLetterOfATopicThatIsGone_isRefused_andNothingIsSent() throws {
    let broker = try Broker.get()
    let topic = try broker.makeTopic("replay", partitions: 1)
    try broker.fill(topic, [(nil, "broken")])
    let folder = try TestFolder()
    let file = try folder.write("t.yaml", try SourceTests.topology(topic, "stop: latest"))
    #expect(try WeirProcess.run(["run", file]).status == 0)
    let letters = folder.rows(in: "dead")
    let wrong = letters + letters.map { $0.replacingOccurrences(of: "\(topic)-0", with: "\(topic)-7") }
    let lettersFile = try folder.write("letters.json", wrong.joined(separator: "\n") + "\n")
    let replayed = try WeirProcess.run(["replay", file, "--letters", lettersFile, "--to", "topic"])
    #expect(replayed.status == 1 && replayed.errors.contains("no such partition"), "\(replayed.errors)")
    #expect(try broker.committed(topic)[0].count == 1, "all or nothing")
  }
}
