import Formats
import Glibc
import KafkaClient
import StreamModel

/// Reads partitions of Kafka topics: `connector: kafka`.
///
/// One consumer reads all partitions; what it gives at once is cut into one chunk a partition, and chunks are handed out in
/// turn. Offsets come from the checkpoint, or for partitions that none knows from `start:`; nothing is committed here.
/// Partitions made while the source runs are read from their beginning.
///
/// A partition's name is `topic-partition`, its position the offset of the record to be read next; -1 for one whose start is
/// not settled yet. Positions are in the order of the partitions' indexes, and `seek` restores that order.
///
/// Invariant for `Sendable`: one caller at a time, as `SourceReader` says; callers' turns are ordered by a lock of theirs.
package final class KafkaSourceReader: SourceReader, @unchecked Sendable {
  /// One partition of a topic.
  struct Slot {
    let partition: SourcePartition
    let place: TopicPartition
    /// The offset after what has been taken from the consumer; nil until it is settled.
    var fetched: Int64?
    /// The offset after what has been handed out.
    var handedOut: Int64?
    /// Where a bounded source ends: where the log did when the first fetch was answered.
    var stop: Int64?
    var isStopSettled = false
    /// The end that the last empty fetch met.
    var end: Int64 = -1
    /// Monotonic ms until when the broker's word that there is nothing more is believed.
    var emptyUntil: Int64 = 0
    var hasEnded = false
    /// With `start: timestamp`, until the first record that is not older: nothing before it is read, whatever offset the broker
    /// gave for the time, and there is no position yet.
    var notBefore: Int64?
  }

  /// How long to wait for a broker when the source starts.
  static let startTimeoutMilliseconds: Int32 = 10_000
  /// How long to wait for one while it runs.
  static let runTimeoutMilliseconds: Int32 = 1_000
  /// How long `next` waits for records.
  private static let pollMilliseconds: Int32 = 20
  /// How long a partition counts as empty after the broker said so.
  private static let emptinessMilliseconds: Int64 = 5_000
  /// Most records taken at once.
  private static let maxBatch = 20_000

  let spec: KafkaSourceSpec
  let source: String
  let group: String
  private let format: Format
  private var consumer: KafkaConsumer?
  /// Asks where logs end, open transactions included: their records are on their way.
  private var observer: KafkaConsumer?
  var slots: [Slot] = []
  private var slotOf: [TopicPartition: Int] = [:]
  private var chunker: KafkaChunker
  /// What has been read and not handed out, the next last.
  private var ready: [(read: SourceRead, slot: Int, next: Int64)] = []
  private var hasBegun = false
  private var discoveryDue: Int64 = 0
  private var missing: Set<String> = []
  private var bytesPerRecord = 256
  private let lagging = KafkaLag()
  /// When what is in `ready` was fetched, in monotonic ns.
  package private(set) var arrivedAt: Int64?

  package init(_ spec: KafkaSourceSpec, source: String, job: String, format: Format) {
    self.spec = spec
    self.source = source
    self.format = format
    group = spec.group ?? job
    chunker = KafkaChunker(format: format, metadata: spec.metadata)
  }

  var place: String { "sources.\(source)" }

  package func open() throws(ConnectorError) {
    do {
      consumer = try KafkaConsumer(spec.cluster, group: group)
      observer = try KafkaConsumer(spec.cluster, group: group, readsUncommitted: true)
      lagging.observe(observer, consumer)
    } catch {
      throw ConnectorError("\(place).properties: \(error) — correct it")
    }
    for found in try discover(KafkaSourceReader.startTimeoutMilliseconds) { add(found) }
    if slots.isEmpty { throw nothingToRead }
    discoveryDue = KafkaSourceReader.now() + spec.discoveryMilliseconds
  }

  private var nothingToRead: ConnectorError {
    switch spec.topics {
    case .named(let names):
      ConnectorError(
        "\(place).topic: \(names.joined(separator: ", ")): there is no such topic at \(spec.cluster.bootstrap) — create it, or correct the name",
        isRetriable: true)
    case .pattern(let pattern):
      ConnectorError(
        "\(place).pattern: \(pattern): no topic at \(spec.cluster.bootstrap) has such a name — create one, or correct the pattern",
        isRetriable: true)
    }
  }

  private func add(_ place: TopicPartition) {
    slotOf[place] = slots.count
    slots.append(
      Slot(partition: SourcePartition(source: source, name: place.description, index: slots.count), place: place))
  }

  package var partitions: [SourcePartition] { slots.map(\.partition) }

  package var positions: [PartitionPosition] {
    slots.map { PartitionPosition(partition: $0.partition.name, offset: $0.handedOut ?? -1, isAtEnd: $0.hasEnded) }
  }

  package func seek(to positions: [PartitionPosition]) throws(ConnectorError) {
    let found = slots.map(\.place)
    slots = []
    slotOf = [:]
    for position in positions {
      guard let place = TopicPartition(position.partition) else {
        throw ConnectorError(
          "\(self.place): \(position.partition): this is no partition of a topic — start the job anew")
      }
      guard found.contains(place) else { throw goneWithPosition(position) }
      add(place)
      slots[slots.count - 1].handedOut = position.offset < 0 ? nil : position.offset
      slots[slots.count - 1].fetched = slots[slots.count - 1].handedOut
    }
    for place in found where slotOf[place] == nil { add(place) }
    try settle(slots.indices)
  }

  private func goneWithPosition(_ position: PartitionPosition) -> ConnectorError {
    ConnectorError(
      "\(place): \(position.partition): the partition was read up to offset \(position.offset) and is not there any more: its topic was deleted, or is not what `topic:` names now — put it back, or start the job anew (--from none)"
    )
  }

  package func close() {
    lagging.observe(nil, nil)
    consumer = nil
    observer = nil
  }

  // MARK: - Reading

  package func next(targetBytes: Int) throws(ConnectorError) -> SourceRead {
    if !hasBegun {
      hasBegun = true
      try settle(slots.indices)
      try assign(slots.indices)
      for slot in slots.indices { noteLag(slot) }
    }
    if ready.isEmpty {
      try discoverIfDue()
      try fetch(targetBytes)
    }
    if let item = ready.popLast() {
      slots[item.slot].handedOut = item.next
      noteLag(item.slot)
      if case .endOfPartition = item.read { slots[item.slot].hasEnded = true }
      return item.read
    }
    if spec.isBounded, slots.allSatisfy(\.hasEnded) { return .endOfInput }
    return .wait(milliseconds: 1)
  }

  private func fetch(_ targetBytes: Int) throws(ConnectorError) {
    guard let consumer else { return }
    let count = min(max(targetBytes / max(bytesPerRecord, 16), 1), KafkaSourceReader.maxBatch)
    let messages = consumer.poll(count, milliseconds: KafkaSourceReader.pollMilliseconds)
    if messages.count == 0 { return }
    arrivedAt = Clock.monotonicNanoseconds()
    chunker.begin(slotCount: slots.count)
    for index in 0..<messages.count { try take(messages[index]) }
    if chunker.recordCount > 0 { bytesPerRecord = max(16, chunker.byteCount / chunker.recordCount) }
    for slot in chunker.slots {
      for piece in chunker.pieces(of: slot, partition: slots[slot].partition) {
        ready.append((piece.read, slot, piece.next))
      }
      // Behind its last record there may be markers.
      ready[ready.count - 1].next = slots[slot].fetched ?? ready[ready.count - 1].next
    }
    for slot in slots.indices {
      if !chunker.slots.contains(slot), slots[slot].notBefore == nil { slots[slot].handedOut = slots[slot].fetched }
      finishIfAtStop(slot)
    }
    ready.reverse()
  }

  private func take(_ message: KafkaMessage) throws(ConnectorError) {
    guard let slot = chunker.slot(of: message, slotOf) else { return }
    settleStop(slot)
    switch message.kind {
    case .record:
      // What was handed over before is not read twice, whatever a client gives again.
      guard message.offset >= slots[slot].fetched ?? 0 else { return }
      slots[slot].emptyUntil = 0
      guard message.offset < slots[slot].stop ?? Int64.max else { return advance(slot, to: message.offset) }
      advance(slot, to: message.offset + 1)
      if let time = slots[slot].notBefore {
        if let own = message.timestamp, own < time { return }
        slots[slot].notBefore = nil
      }
      chunker.add(message, slot)
    case .end:
      slots[slot].end = message.offset
      advance(slot, to: message.offset)
    case .failure(let error):
      if !error.isRetriable { throw failure(of: slot, error) }
    }
  }

  private func settleStop(_ slot: Int) {
    guard let stop = slots[slot].stop, !slots[slot].isStopSettled else { return }
    slots[slot].stop = max(stop, consumer?.lastKnownEnd(of: slots[slot].place) ?? stop)
    slots[slot].isStopSettled = true
  }

  /// Everything before `offset` has been taken, transaction markers included, or lies behind the stop.
  private func advance(_ slot: Int, to offset: Int64) {
    slots[slot].fetched = max(slots[slot].fetched ?? 0, min(offset, slots[slot].stop ?? Int64.max))
  }

  /// Of a bounded source: ends a partition whose last record has been taken.
  private func finishIfAtStop(_ slot: Int) {
    guard let stop = slots[slot].stop, let fetched = slots[slot].fetched, fetched >= stop, slots[slot].isStopSettled,
      !slots[slot].hasEnded,
      !ready.contains(where: { if case .endOfPartition = $0.read { $0.slot == slot } else { false } })
    else { return }
    ready.append((.endOfPartition(slots[slot].partition), slot, fetched))
    // Only thrift: what is fetched behind the stop is left unread.
    try? consumer?.pause([slots[slot].place])
  }

  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  // MARK: - What is there

  /// A partition may idle when a fetch at its end was empty, nothing has been fetched since, and the broker, asked again,
  /// has nothing more either.
  package func partitionsAtEnd() -> [Bool]? { slots.indices.map(isAtEnd) }

  private func isAtEnd(_ slot: Int) -> Bool {
    guard let consumer, let fetched = slots[slot].fetched, slots[slot].end >= 0, slots[slot].end >= fetched else {
      return false
    }
    if ready.contains(where: { $0.slot == slot }) { return false }
    if KafkaSourceReader.now() < slots[slot].emptyUntil { return true }
    if let known = consumer.lastKnownEnd(of: slots[slot].place), known > fetched { return false }
    guard
      let bounds = try? observer?.bounds(
        of: slots[slot].place, timeoutMilliseconds: KafkaSourceReader.runTimeoutMilliseconds), bounds.end <= fetched
    else { return false }
    slots[slot].emptyUntil = KafkaSourceReader.now() + KafkaSourceReader.emptinessMilliseconds
    return true
  }

  /// The group's offsets follow the checkpoints, so that lag can be watched; nothing is read by them.
  package func noteCommitted(_ positions: [PartitionPosition]) {
    consumer?.announce(
      positions.compactMap { position in
        TopicPartition(position.partition).flatMap {
          position.offset >= 0 ? PartitionOffset($0, offset: position.offset) : nil
        }
      })
  }

  package var lag: [(partition: String, records: Int64)] { lagging.lag() }

  private func noteLag(_ slot: Int) {
    guard let offset = slots[slot].handedOut ?? slots[slot].fetched else { return }
    lagging.note(slot, slots[slot].place, offset)
  }

  // MARK: - Partitions

  private func discoverIfDue() throws(ConnectorError) {
    let now = KafkaSourceReader.now()
    guard now >= discoveryDue else { return }
    discoveryDue = now + spec.discoveryMilliseconds
    let found: [TopicPartition]
    do { found = try discover(KafkaSourceReader.runTimeoutMilliseconds) } catch {
      // The broker may be away for a while; whether it is for good shows when records are read.
      if error.isRetriable { return }
      throw error
    }
    try checkStillThere(found)
    let first = slots.count
    for place in found where slotOf[place] == nil {
      add(place)
      slots[slots.count - 1].fetched = 0
      slots[slots.count - 1].handedOut = 0
    }
    if slots.count > first { try assign(first..<slots.count) }
  }

  /// A topic that is missing twice in a row is gone.
  private func checkStillThere(_ found: [TopicPartition]) throws(ConnectorError) {
    let topics = Set(found.map(\.topic))
    let gone = Set(slots.map(\.place.topic)).subtracting(topics)
    for topic in gone.intersection(missing) { throw deleted(topic) }
    missing = gone
  }

  private func discover(_ timeout: Int32) throws(ConnectorError) -> [TopicPartition] {
    guard let consumer else { return [] }
    var topics: [KafkaHandle.Topic] = []
    do {
      switch spec.topics {
      case .pattern(let pattern):
        topics = try consumer.handle.topics(timeoutMilliseconds: timeout).filter {
          !$0.name.hasPrefix("__") && pattern.matches($0.name)
        }
      case .named(let names):
        for name in names {
          if let topic = try consumer.handle.topic(name, timeoutMilliseconds: timeout) { topics.append(topic) }
        }
      }
    } catch {
      throw unreachable(error)
    }
    return topics.flatMap { topic in
      (0..<topic.partitionCount).map { TopicPartition(topic: topic.name, partition: $0) }
    }
  }

  /// Settles where partitions that have no position begin, and checks those that have one against what is there.
  private func settle(_ range: Range<Int>) throws(ConnectorError) {
    guard let observer else { return }
    do {
      try KafkaStart(spec: spec, consumer: observer, place: place).settle(&slots, range)
    } catch {
      switch error {
      case .kafka(let error): throw unreachable(error)
      case .lost(let error): throw error
      }
    }
  }

  private func assign(_ range: Range<Int>) throws(ConnectorError) {
    guard let consumer else { return }
    do {
      try consumer.assign(slots[range].map { PartitionOffset($0.place, offset: $0.fetched ?? 0) })
    } catch {
      throw ConnectorError("\(place): \(error)")
    }
  }

  // MARK: - Errors

  private func unreachable(_ error: KafkaError) -> ConnectorError {
    .kafka(error, place: place, bootstrap: spec.cluster.bootstrap)
  }

  private func deleted(_ topic: String) -> ConnectorError {
    ConnectorError(
      "\(place): topic \(topic) was deleted while it was read — put it back and start the job anew (--from none); what was read of it up to the last checkpoint is kept"
    )
  }

  private func failure(of slot: Int, _ error: KafkaError) -> ConnectorError {
    let partition = slots[slot].place
    switch error.name {
    case "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION": return deleted(partition.topic)
    case "_AUTO_OFFSET_RESET", "OFFSET_OUT_OF_RANGE":
      let bounds = try? observer?.bounds(of: partition, timeoutMilliseconds: KafkaSourceReader.runTimeoutMilliseconds)
      return KafkaStart.outOfRange(partition, at: slots[slot].fetched ?? 0, bounds ?? nil, place: place)
    default: return .kafka(error, place: "\(place): \(partition)", bootstrap: spec.cluster.bootstrap)
    }
  }
}
