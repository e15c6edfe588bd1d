import Foundation
import StreamModel
import TestSupport
import Testing

@testable import Runtime

@Suite struct InboxTests {
  private static let schema = Schema([Field("n", .int64)])

  private func batch(_ number: Int64) -> StreamElement {
    .batch(TestRows(InboxTests.schema).row(at: number, [.int64(number)]).batch())
  }

  private func number(_ element: StreamElement?) -> Int64? {
    if case .batch(let batch) = element { return batch.eventTimes.int64s[0] }
    return nil
  }

  @Test func aDeadlineAtTheBeginningOfTime_hasPassed() throws {
    let inbox = Inbox(channelCount: 1)
    #expect(try inbox.next(deadline: .min) == nil)
  }

  @Test func aChannelGivesItsElementsInOrder() throws {
    let inbox = Inbox(channelCount: 1)
    for number in 0..<5 as Range<Int64> { try inbox.send(batch(number), channel: 0) }
    for expected in 0..<5 as Range<Int64> { #expect(number(try inbox.next(deadline: nil)?.element) == expected) }
  }

  @Test func channelsTakeTurns() throws {
    let inbox = Inbox(channelCount: 3)
    for channel in 0..<3 { for number in 0..<2 { try inbox.send(batch(Int64(number)), channel: channel) } }
    let order = try (0..<6).map { _ in try inbox.next(deadline: nil)?.channel }
    #expect(order == [0, 1, 2, 0, 1, 2])
  }

  @Test func aBlockedChannelIsHeldBackWithoutTheOthers() throws {
    let inbox = Inbox(channelCount: 2)
    try inbox.send(batch(1), channel: 0)
    try inbox.send(batch(2), channel: 1)
    inbox.setBlocked(true, channel: 0)
    #expect(try inbox.next(deadline: nil)?.channel == 1)
    #expect(try inbox.next(deadline: 0) == nil)
    inbox.setBlocked(false, channel: 0)
    #expect(try inbox.next(deadline: nil)?.channel == 0)
  }

  @Test func whenTheDeadlineHasPassed_nothingIsGiven() throws {
    #expect(try Inbox(channelCount: 1).next(deadline: 0) == nil)
  }

  @Test func marksPassTheBound() throws {
    let inbox = Inbox(channelCount: 1)
    for number in 0..<Inbox.maxChannelBatches { try inbox.send(batch(Int64(number)), channel: 0) }
    try inbox.send(.watermark(Watermark(7)), channel: 0)
    try inbox.send(.endOfInput, channel: 0)
    for _ in 0..<Inbox.maxChannelBatches { _ = try inbox.next(deadline: nil) }
    guard case .watermark(Watermark(7)) = try inbox.next(deadline: nil)?.element else {
      Issue.record("the watermark is not where it was sent")
      return
    }
  }

  @Test func aFullChannelDoesNotHoldUpAnother() throws {
    let inbox = Inbox(channelCount: 2)
    for number in 0..<Inbox.maxChannelBatches { try inbox.send(batch(Int64(number)), channel: 0) }
    for number in 0..<Inbox.maxChannelBatches { try inbox.send(batch(Int64(number)), channel: 1) }
    #expect(try inbox.next(deadline: nil)?.channel == 0)
    #expect(try inbox.next(deadline: nil)?.channel == 1)
  }

  /// A sender with much to send is never ahead of the receiver by more than the bound.
  private func expectBound(_ bound: Int, count: Int, _ element: @escaping @Sendable (Int) -> StreamElement) throws {
    let inbox = Inbox(channelCount: 1)
    let sent = Guarded(0)
    let sender = Thread {
      for number in 0..<count {
        guard (try? inbox.send(element(number), channel: 0)) != nil else { return }
        sent.withLock { $0 += 1 }
      }
    }
    sender.start()
    for taken in 0..<count {
      let ahead = sent.withLock { $0 } - taken
      #expect(ahead <= bound, "\(ahead) elements wait")
      _ = try inbox.next(deadline: nil)
    }
  }

  @Test func aSenderIsNeverMoreBatchesAheadThanTheBound() throws {
    try expectBound(Inbox.maxChannelBatches, count: 2000) { number in
      .batch(TestRows(Schema([Field("n", .int64)])).row(at: Int64(number), [.int64(Int64(number))]).batch())
    }
  }

  @Test func aSenderIsNeverMoreBytesAheadThanTheBound() throws {
    let rows = Inbox.maxChannelBytes / 16
    let times = Column.constant(.timestamp(0), .timestamp, count: rows)
    let large = RecordBatch(
      schema: Schema([Field("n", .int64)]), columns: [.absent(.int64, count: rows)], count: rows, eventTimes: times)
    #expect(large.sizeBytes >= Inbox.maxChannelBytes)
    try expectBound(1, count: 200) { _ in .batch(large) }
  }

  @Test func closingEndsEveryWait() throws {
    let inbox = Inbox(channelCount: 1)
    let outcomes = Guarded<[String]>([])
    let isDone = DispatchSemaphore(value: 0)
    let full = Inbox(channelCount: 1)
    for number in 0..<Inbox.maxChannelBatches { try full.send(batch(Int64(number)), channel: 0) }
    let ninth = batch(9)
    let waits: [@Sendable () throws -> Void] = [
      { _ = try inbox.next(deadline: nil) }, { try full.send(ninth, channel: 0) },
    ]
    for wait in waits {
      Thread {
        do {
          try wait()
          outcomes.withLock { $0.append("went on") }
        } catch { outcomes.withLock { $0.append("\(error)") } }
        isDone.signal()
      }.start()
    }
    inbox.close()
    full.close()
    for _ in waits { isDone.wait() }
    #expect(outcomes.withLock { $0 } == ["cancelled", "cancelled"])
    #expect(throws: Interruption.cancelled) { try inbox.send(batch(1), channel: 0) }
    #expect(throws: Interruption.cancelled) { _ = try inbox.next(deadline: 0) }
  }
}
