import KafkaClient
import StreamModel
import Synchronization

/// How far a source is behind the ends of its partitions: written by the reader, asked by anyone at any time.
///
/// The ends are asked of the broker, at most every few seconds: what fetches say of them grows old while a source is held back,
/// which is when its lag matters. What fetches say counts too, where it is more: not every broker counts the records of the last
/// batch when it is asked.
final class KafkaLag: Sendable {
  private struct State {
    var observer: KafkaConsumer?
    var reader: KafkaConsumer?
    /// By partition: the offset of the record to be handed out next, in the order of the partitions.
    var positions: [(place: TopicPartition, offset: Int64)] = []
    var ends: [TopicPartition: Int64] = [:]
    /// Monotonic ms before which the ends are not asked again.
    var isFreshUntil: Int64 = 0
  }

  private static let freshMilliseconds: Int64 = 2_000
  /// After a broker did not answer it is left alone for longer.
  private static let failureMilliseconds: Int64 = 10_000
  private static let timeoutMilliseconds: Int32 = 500

  private let state = Mutex(State())

  /// From now on the ends are asked through `observer`, and known from what `reader` fetches; nil: there is no lag any more.
  func observe(_ observer: KafkaConsumer?, _ reader: KafkaConsumer?) {
    state.withLock { $0 = State(observer: observer, reader: reader) }
  }

  /// Partition `index` is read up to `offset`.
  func note(_ index: Int, _ place: TopicPartition, _ offset: Int64) {
    state.withLock { state in
      if index < state.positions.count, state.positions[index].place == place {
        state.positions[index].offset = offset
      } else {
        state.positions.removeAll { $0.place == place }
        state.positions.append((place, offset))
      }
    }
  }

  /// Records between where each partition is and its end. What a log holds beside records (markers of transactions) counts too.
  func lag() -> [(partition: String, records: Int64)] {
    refresh()
    return state.withLock { state in
      state.positions.compactMap { position in
        state.ends[position.place].map { (position.place.description, max(0, $0 - position.offset)) }
      }
    }
  }

  private func refresh() {
    let now = KafkaSourceReader.now()
    let (observer, reader, places) = state.withLock { state -> (KafkaConsumer?, KafkaConsumer?, [TopicPartition]) in
      guard now >= state.isFreshUntil else { return (nil, nil, []) }
      state.isFreshUntil = now + KafkaLag.freshMilliseconds
      return (state.observer, state.reader, state.positions.map(\.place))
    }
    guard let observer, let reader, !places.isEmpty else { return }
    let asked = try? observer.ends(of: places, timeoutMilliseconds: KafkaLag.timeoutMilliseconds)
    let ends = places.indices.map { max(asked?[$0] ?? 0, reader.lastKnownEnd(of: places[$0]) ?? 0) }
    state.withLock { state in
      if asked == nil { state.isFreshUntil = now + KafkaLag.failureMilliseconds }
      for (place, end) in zip(places, ends) { state.ends[place] = max(end, state.ends[place] ?? 0) }
    }
  }
}
