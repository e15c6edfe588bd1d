import Testing

@testable import Checkpoint

/// From where a job with a Kafka commit point may go on.
struct TransactionStartTests {
  static func start(
    marker: (Int64, Int64)? = nil, local: (Int64, Int64)? = nil, _ checkpoints: [Int64] = [],
    _ request: TransactionStart.Request = .latest, acceptsLoss: Bool = false
  ) -> TransactionStart.Action {
    TransactionStart(
      job: "usage", marker: marker.map { .init(number: $0.0, identity: $0.1) },
      record: local.map { .init(identity: $0.0, completed: $0.1) }, checkpoints: checkpoints, request: request,
      acceptsLoss: acceptsLoss
    ).decide()
  }

  /// The reason of a refusal; nil for anything else.
  static func refusal(_ action: TransactionStart.Action) -> String? {
    if case .refuse(let reason) = action { reason } else { nil }
  }

  @Test func aJobThatNeverRan_beginsWithAnIdentityOfItsOwn() {
    #expect(TransactionStartTests.start() == .first)
    #expect(TransactionStartTests.start([], .beginning) == .first)
  }

  @Test func aCrashBeforeTheFirstMarker_isAFirstStartAgain() {
    #expect(TransactionStartTests.start(local: (7, 0)) == .first)
  }

  @Test func theCheckpointOfTheMarkerIsRestored_andNoOther() {
    #expect(TransactionStartTests.start(marker: (4, 7), local: (7, 4), [3, 4]) == .restore(4))
    #expect(TransactionStartTests.start(marker: (4, 7), local: (7, 3), [3, 4, 5]) == .restore(4))
    #expect(TransactionStartTests.start(marker: (5, 7), local: (7, 4), [3, 4, 5]) == .restore(5))
  }

  @Test func withMarkerZero_nothingWasCommitted_andNumbersGoOnAboveWhatLiesHere() {
    #expect(TransactionStartTests.start(marker: (0, 7), local: (7, 0), [1, 2]) == .begin(above: 2))
  }

  @Test func aMarkerWithoutItsDirectory_isRefused_andTheWayOutIsSpelled() {
    let reason = TransactionStartTests.refusal(TransactionStartTests.start(marker: (4, 7)))
    #expect(reason?.contains("checkpoint 4") == true && reason?.contains(TransactionStart.flag) == true)
  }

  @Test func aMarkerWithoutItsCheckpoint_isRefused() {
    let reason = TransactionStartTests.refusal(TransactionStartTests.start(marker: (4, 7), local: (7, 3), [2, 3]))
    #expect(reason?.contains("there is: 2, 3") == true)
  }

  @Test func aDirectoryWithoutItsMarker_isRefused() {
    #expect(
      TransactionStartTests.refusal(TransactionStartTests.start(local: (7, 3), [3]))?.contains("no marker") == true)
    #expect(TransactionStartTests.refusal(TransactionStartTests.start([3]))?.contains("without Kafka") == true)
  }

  @Test func anotherIdentity_isRefused() {
    let reason = TransactionStartTests.refusal(TransactionStartTests.start(marker: (4, 8), local: (7, 4), [4]))
    #expect(reason?.contains("another job of this name") == true)
  }

  @Test func aMarkerBehindWhatIsKnownHere_isRefused() {
    let reason = TransactionStartTests.refusal(TransactionStartTests.start(marker: (3, 7), local: (7, 4), [3, 4]))
    #expect(reason?.contains("lost offsets") == true)
  }

  @Test func aMarkerThatMayStillBeBehind_isWaitedFor_whereTheCheckpointLiesHere() {
    var start = TransactionStart(
      job: "usage", marker: .init(number: 3, identity: 7), record: .init(identity: 7, completed: 4),
      checkpoints: [3, 4],
      request: .latest, acceptsLoss: false)
    start.mayLag = true
    #expect(start.decide() == .restore(4))
    start.checkpoints = [3]
    #expect(TransactionStartTests.refusal(start.decide()) != nil)
  }

  @Test func beginningAnewBesideAMarker_needsTheFlag_andGoesOnAboveEveryNumberUsed() {
    let facts: (marker: (Int64, Int64), local: (Int64, Int64), checkpoints: [Int64]) = ((4, 7), (7, 4), [4, 5])
    let refused = TransactionStartTests.start(marker: facts.marker, local: facts.local, facts.checkpoints, .beginning)
    #expect(TransactionStartTests.refusal(refused)?.contains("written twice") == true)
    let accepted = TransactionStartTests.start(
      marker: facts.marker, local: facts.local, facts.checkpoints, .beginning, acceptsLoss: true)
    #expect(accepted == .override(above: 5))
  }

  @Test func anOlderCheckpoint_needsTheFlag_theCommittedOneDoesNot() {
    let older = TransactionStartTests.start(
      marker: (4, 7), local: (7, 4), [3, 4], .checkpoint(number: 3, identity: 7))
    #expect(TransactionStartTests.refusal(older) != nil)
    let same = TransactionStartTests.start(marker: (4, 7), local: (7, 4), [3, 4], .checkpoint(number: 4, identity: 7))
    #expect(same == .restore(4))
    let sameNumber = TransactionStartTests.start(
      marker: (4, 7), local: (7, 4), [3, 4], .checkpoint(number: 4, identity: 6))
    #expect(TransactionStartTests.refusal(sameNumber) != nil, "an earlier job of the name committed that one")
  }

  @Test func aSavepointBeginsAJobThatTheClusterDoesNotKnow_withoutTheFlag() {
    #expect(TransactionStartTests.start([], .checkpoint(number: 9, identity: 0)) == .override(above: 0))
    #expect(TransactionStartTests.start([3], .checkpoint(number: 3, identity: 0)) == .override(above: 3))
    let known = TransactionStartTests.start(marker: (4, 7), local: (7, 4), [4], .checkpoint(number: 3, identity: 0))
    #expect(TransactionStartTests.refusal(known)?.contains("written twice") == true)
  }

  // MARK: A new identity

  /// A job of identity 7 at checkpoint 4 that is about to begin anew as 8 with marker 6.
  static func record(hasCheckpoint: Bool) -> TransactionStart.LocalRecord {
    .init(identity: 7, completed: 4, next: .init(number: 6, identity: 8, hasCheckpoint: hasCheckpoint))
  }

  static func start(
    marker: (Int64, Int64)?, _ record: TransactionStart.LocalRecord, _ checkpoints: [Int64]
  ) -> TransactionStart.Action {
    TransactionStart(
      job: "usage", marker: marker.map { .init(number: $0.0, identity: $0.1) }, record: record,
      checkpoints: checkpoints, request: .latest, acceptsLoss: false
    ).decide()
  }

  @Test func aCrashBeforeTheNewMarker_leavesTheJobAsItWas() {
    let record = TransactionStartTests.record(hasCheckpoint: true)
    #expect(TransactionStartTests.start(marker: (4, 7), record, [4, 6]) == .restore(4))
  }

  @Test func aCrashAfterTheNewMarker_leavesTheJobAnew() {
    let adopted = TransactionStartTests.record(hasCheckpoint: true)
    #expect(TransactionStartTests.start(marker: (6, 8), adopted, [4, 6]) == .restore(6))
    #expect(TransactionStartTests.refusal(TransactionStartTests.start(marker: (6, 8), adopted, [4])) != nil)
    let empty = TransactionStartTests.record(hasCheckpoint: false)
    #expect(TransactionStartTests.start(marker: (6, 8), empty, [4, 5]) == .begin(above: 6))
    #expect(TransactionStartTests.start(marker: (7, 8), empty, [4, 5, 7]) == .restore(7))
  }

  @Test(arguments: [
    TransactionStart.LocalRecord(identity: 7, completed: 4), .init(identity: Int64.max, completed: 0, beganAt: -1),
    record(hasCheckpoint: true), record(hasCheckpoint: false),
  ])
  func aRecordIsReadAsItWasWritten(_ record: TransactionStart.LocalRecord) {
    #expect(TransactionStart.LocalRecord(record.text) == record)
    for end in 1..<record.text.utf8.count - 1 {
      #expect(TransactionStart.LocalRecord(String(record.text.prefix(end))) == nil, "a torn record is none")
    }
  }

  /// Whatever is found: without the flag a job goes on only from the marker's own checkpoint, and no number is used twice.
  @Test func inEveryCase_onlyTheCommittedCheckpointIsRestored_andNumbersAreNew() {
    let markers: [(Int64, Int64)?] = [nil, (0, 7), (1, 7), (2, 7), (3, 7), (2, 8)]
    let locals: [(Int64, Int64)?] = [nil, (7, 0), (7, 1), (7, 2)]
    let checkpoints: [[Int64]] = [[], [1], [2], [1, 2], [1, 2, 3]]
    let requests: [TransactionStart.Request] = [.latest, .beginning, .checkpoint(number: 2, identity: 7)]
    for marker in markers {
      for local in locals {
        for there in checkpoints {
          for request in requests {
            for accepts in [false, true] {
              let action = TransactionStartTests.start(
                marker: marker, local: local, there, request, acceptsLoss: accepts)
              switch action {
              case .restore(let number):
                #expect(number == marker?.0 && there.contains(number) && local?.0 == marker?.1)
                #expect(local.map { $0.1 <= number } == true)
              case .begin(let above), .override(let above):
                #expect(above >= (there.last ?? 0) && above >= (marker?.0 ?? 0))
              case .first: #expect(marker == nil && there.isEmpty && (local?.1 ?? 0) == 0)
              case .refuse: #expect(!accepts, "the flag was given")
              }
              if case .override = action {
                #expect(accepts || (marker == nil && local == nil && request != .latest && request != .beginning))
              }
            }
          }
        }
      }
    }
  }
}
