import Operators
import StreamModel

/// The sending end of an edge in one subtask: partitions batches and puts them into the receivers' inboxes.
///
/// In a source's worker, elements are held back until the worker's turn has come (`flush`); elsewhere they go at once, and
/// a full inbox blocks the sender: that is the back-pressure.
final class EdgeWriter {
  private let inboxes: [Inbox]
  private let channel: Int
  private let distribution: ExecutionGraph.Distribution
  /// Per column: whether the receiver reads it.
  private let isRead: [Bool]
  private let readsAll: Bool
  private let isBuffered: Bool
  private let encoder: KeyEncoder?
  /// Combines rows of a key before they are sent; nil where the receiver needs them one by one.
  private let combiner: PartialAggregator?
  private var partitioner: KeyPartitioner
  /// What is held back, by receiver.
  private var pending: [[StreamElement]]
  private var turn = 0
  private(set) var watermark = EventTimes.minimum

  /// `channel` is this sender's channel in every receiver's inbox; `combines` the aggregate whose rows may be combined.
  init(
    inboxes: [Inbox], channel: Int, distribution: ExecutionGraph.Distribution, columns: Set<Int>, columnCount: Int,
    isBuffered: Bool, combines: AggregateSpec? = nil
  ) {
    self.inboxes = inboxes
    self.channel = channel
    self.distribution = distribution
    isRead = (0..<columnCount).map { columns.contains($0) }
    readsAll = columns.count == columnCount
    self.isBuffered = isBuffered
    pending = Array(repeating: [], count: inboxes.count)
    partitioner = KeyPartitioner(parallelism: inboxes.count)
    // One receiver takes all rows as they are, keys unencoded.
    combiner = inboxes.count > 1 ? combines.flatMap { PartialAggregator($0) } : nil
    if case .key(let key) = distribution, inboxes.count > 1 {
      encoder = KeyEncoder(keyColumns: key)
    } else {
      encoder = nil
    }
  }

  /// Sends rows to the subtasks they belong to.
  func write(_ batch: RecordBatch) throws(Interruption) {
    let batch = readsAll ? batch : pruned(batch)
    switch distribution {
    case .key(let key): try writeByKey(batch, key)
    case .roundRobin:
      try send(.batch(batch), to: turn % inboxes.count)
      turn += 1
    case .single: try send(.batch(batch), to: 0)
    }
  }

  private func pruned(_ batch: RecordBatch) -> RecordBatch {
    let columns = batch.columns.enumerated().map { index, column in
      isRead[index] || column.isAbsent ? column : Column.absent(column.type, count: column.count)
    }
    return batch.with(schema: batch.schema, columns: columns)
  }

  private func writeByKey(_ batch: RecordBatch, _ key: [Int]) throws(Interruption) {
    guard let encoder else { return try send(.batch(batch), to: 0) }
    encoder.encode(batch)
    if let combiner, let groups = combiner.combine(batch, encoder) {
      return try write(groups, combiner, batch, encoder)
    }
    let keyed = batch.with(hashes(encoder.hashes, of: key, count: batch.count))
    partitioner.partition(encoder.hashes, count: batch.count)
    for target in inboxes.indices {
      let rows = partitioner.rows(of: target)
      if !rows.isEmpty { try send(.batch(keyed.gather(rows, compact: true)), to: target) }
    }
  }

  /// Sends each receiver the groups that belong to it.
  private func write(
    _ groups: PartialAggregator.Groups, _ combiner: PartialAggregator, _ batch: RecordBatch, _ keys: KeyEncoder
  ) throws(Interruption) {
    partitioner.partition(groups.hashes, count: groups.count)
    for target in inboxes.indices {
      let positions = partitioner.rows(of: target)
      if positions.isEmpty { continue }
      try send(.batch(combiner.batch(of: positions, groups, from: batch, keys)), to: target)
    }
  }

  private func hashes(_ hashes: UnsafePointer<UInt64>, of key: [Int], count: Int) -> KeyHashes {
    let memory = Memory(capacityBytes: count * 8)
    memory.base.copyMemory(from: hashes, byteCount: count * 8)
    return KeyHashes(columns: key, hashes: Column(type: .int64, count: count, values: memory))
  }

  /// Sends a watermark to every receiver if it is higher than the last.
  func advance(to watermark: EventTime) throws(Interruption) {
    guard watermark > self.watermark else { return }
    self.watermark = watermark
    try broadcast(.watermark(Watermark(watermark)))
  }

  /// Sends an element to every receiver.
  func broadcast(_ element: StreamElement) throws(Interruption) {
    for target in inboxes.indices { try send(element, to: target) }
  }

  /// Sends a mark to one receiver, each in turn.
  func pass(_ mark: LatencyMark) throws(Interruption) {
    try send(.latency(mark), to: mark.number % inboxes.count)
  }

  private func send(_ element: StreamElement, to target: Int) throws(Interruption) {
    if isBuffered {
      pending[target].append(element)
    } else {
      try inboxes[target].send(element, channel: channel)
    }
  }

  /// Sends what was held back, in order; in a source's worker, whose turn it must be. Each receiver is woken once.
  func flush() throws(Interruption) {
    for target in inboxes.indices where !pending[target].isEmpty {
      try inboxes[target].send(pending[target], channel: channel)
      pending[target].removeAll(keepingCapacity: true)
    }
  }

  /// In a source's worker: which receiver the next batch goes to, so that batches go round in the order of chunks.
  func setTurn(_ turn: Int) { self.turn = turn }
}
