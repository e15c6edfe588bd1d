import KafkaClient
import Testing

@testable import Connectors

/// What is said of positions that a log does not hold.
struct KafkaStartTests {
  private static let place = TopicPartition(topic: "usage", partition: 3)

  private static func message(at offset: Int64, _ bounds: (first: Int64, end: Int64)?) -> String {
    KafkaStart.outOfRange(place, at: offset, bounds, place: "sources.usage").description
  }

  @Test func recordsDeletedUnread_aShortenedLog_andALogThatNobodyKnows_areToldApart() {
    let deleted = Self.message(at: 10, (first: 25, end: 90))
    #expect(deleted.contains("usage-3: the log begins at offset 25 and was read up to 10 only: 15 records were"))
    let shortened = Self.message(at: 100, (first: 0, end: 90))
    #expect(shortened.contains("usage-3: the log ends at offset 90 and was read up to 100 already"))
    let unknown = Self.message(at: 100, nil)
    #expect(unknown.contains("usage-3: offset 100 is not in the log any more"))
    for message in [deleted, shortened, unknown] {
      #expect(message.hasPrefix("sources.usage: ") && message.contains("--from none"), "\(message)")
    }
  }
}
