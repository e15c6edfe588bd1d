import Testing

@testable import Connectors

/// Which of a job's producers says what is committed.
struct KafkaMarkerTests {
  @Test func theGreatestNumberCounts_inWhateverOrderProducersAreShown() {
    let offsets: [Int64?] = [20, 7, 22, 7, 21, 7]
    #expect(KafkaMarker.newest(offsets) == KafkaMarker(number: 22, identity: 7))
    #expect(KafkaMarker.newest([22, 7, 20, 7, 21, 7]) == KafkaMarker(number: 22, identity: 7))
  }

  @Test func aNewIdentity_isThatOfTheGreatestNumber() {
    #expect(KafkaMarker.newest([31, 9, 30, 7, 29, 7]) == KafkaMarker(number: 31, identity: 9))
  }

  @Test func aProducerThatCommittedNothing_countsForNothing() {
    #expect(KafkaMarker.newest([nil, nil, 0, 7, nil, nil]) == KafkaMarker(number: 0, identity: 7))
    #expect(KafkaMarker.newest([Int64?](repeating: nil, count: 6)) == nil)
    #expect(KafkaMarker.newest([4, nil, nil, nil, nil, nil]) == nil, "a number without an identity is no marker")
  }

  @Test func everyProducerHasPlacesOfItsOwn() {
    let marker = KafkaMarker(number: 5, identity: 9)
    let places = (0..<KafkaMarker.producerCount).flatMap { marker.offsets(of: $0) }.map(\.place)
    #expect(Set(places).count == 2 * KafkaMarker.producerCount)
    #expect(Set(KafkaMarker.transactionalIDs(ofJob: "job")).count == KafkaMarker.producerCount)
    for producer in 0..<KafkaMarker.producerCount {
      var offsets = [Int64?](repeating: nil, count: KafkaMarker.places.count)
      for offset in marker.offsets(of: producer) {
        if let index = KafkaMarker.places.firstIndex(of: offset.place) { offsets[index] = offset.offset }
      }
      #expect(KafkaMarker.newest(offsets) == marker, "what producer \(producer) writes is read back")
    }
  }
}
