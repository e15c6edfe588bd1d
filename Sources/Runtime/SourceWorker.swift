import Checkpoint
import Connectors
import Expressions
import Formats
import StreamModel

/// One of the workers that read, decode and send one source's rows, side by side (see `SourceCoordinator`).
final class SourceWorker {
  private let coordinator: SourceCoordinator
  private let builder: SourceBatchBuilder
  private let chain: OperatorChain
  private let edges: [EdgeWriter]
  private let deadLetters: DeadLetterReporter
  /// Where the counts of the chain's nodes go when the worker's turn to send has come: there they are, after each ticket, those of
  /// all chunks up to it and of none after.
  private let counters: [NodeCounters]
  private let progress: StageProgress
  private let name: String
  private let checkpoints: CheckpointDriver
  private let participant: Int
  private let latency: JobLatency
  private let pace: AttemptPace
  private let onError: (DecodeFailure, RecordChunk) throws -> Bool

  /// `onError` decides on a record that does not decode: whether it becomes a dead letter; it throws to fail the job.
  init(
    coordinator: SourceCoordinator, builder: SourceBatchBuilder, chain: OperatorChain, edges: [EdgeWriter],
    deadLetters: DeadLetterReporter, counters: [NodeCounters], progress: StageProgress, name: String,
    checkpoints: CheckpointDriver, participant: Int, latency: JobLatency, pace: AttemptPace,
    onError: @escaping (DecodeFailure, RecordChunk) throws -> Bool
  ) {
    self.latency = latency
    self.pace = pace
    self.coordinator = coordinator
    self.builder = builder
    self.chain = chain
    self.edges = edges
    self.deadLetters = deadLetters
    self.counters = counters
    self.progress = progress
    self.name = name
    self.checkpoints = checkpoints
    self.participant = participant
    self.onError = onError
  }

  func run() throws {
    var resumption: Int64 = 0
    while let ticket = try coordinator.take(resumption: resumption) {
      try handle(ticket)
      let end = Clock.monotonicNanoseconds()
      resumption = max(resumption, pace.resumption(afterWorkFrom: ticket.begunAt, to: end))
    }
  }

  private func handle(_ ticket: SourceCoordinator.Ticket) throws {
    switch ticket.work {
    case .chunk(let chunk, let prologue):
      try work(on: chunk, try builder.build(chunk, prologue: prologue), ticket)
    case .undecodable(let chunk, let failure):
      let none = SourceBatchBuilder.Result(batches: [], failures: [failure], rowCount: 0, chunk: chunk)
      try work(on: chunk, none, ticket)
    case .endOfPartition(let partition):
      let (_, watermark) = try coordinator.stamp(ticket.number) {
        $0.end(partition: partition.index, now: Clock.wallMilliseconds())
      }
      try send(ticket.number, watermark)
    case .silence(let atEnd):
      let (isIdle, watermark) = try coordinator.stamp(ticket.number) {
        $0.noteSilence(now: Clock.wallMilliseconds(), atEnd: atEnd)
      }
      try send(ticket.number, watermark, then: isIdle ? .idle : nil)
    case .barrier(let id, let positions):
      let (watermarks, watermark) = try coordinator.stamp(ticket.number) { $0.snapshot() }
      let counts = try send(ticket.number, watermark, then: .barrier(CheckpointBarrier(id: id)))
      checkpoints.acknowledge(id, by: participant, SourceReport(source: name, positions, watermarks, counts).report)
    case .end(let isComplete, let positions):
      let (watermarks, watermark) = try coordinator.stamp(ticket.number) { watermarks in
        if isComplete { watermarks.endAll() }
        return watermarks.snapshot()
      }
      let counts = try send(ticket.number, watermark, then: .endOfInput)
      let report = SourceReport(source: name, positions, watermarks, counts).report
      checkpoints.end(participant, report, isComplete: isComplete)
    }
  }

  private func work(
    on chunk: RecordChunk, _ result: SourceBatchBuilder.Result, _ ticket: SourceCoordinator.Ticket
  ) throws {
    coordinator.account(records: result.rowCount + result.failures.count, bytes: chunk.count)
    let (stamped, watermark) = try coordinator.stamp(ticket.number) {
      SourceWorker.stamp(result.batches, chunk, &$0)
    }
    let own = chain.nodes[0].counters
    own.rowsIn.add(result.failures.count, ordering: .relaxed)
    own.failed.add(result.failures.count, ordering: .relaxed)
    own.bytes.add(chunk.count, ordering: .relaxed)
    for edge in edges { edge.setTurn(ticket.number) }
    for batch in stamped { try chain.process(batch, input: 0) }
    let reported = try result.failures.filter { try onError($0, result.chunk) }
    if !reported.isEmpty { try deadLetters.report(reported, result.chunk) }
    try send(ticket.number, watermark, arrivedAt: ticket.arrivedAt)
  }

  private static func stamp(
    _ batches: [RecordBatch], _ chunk: RecordChunk, _ watermarks: inout SourceWatermarks
  ) -> [RecordBatch] {
    let now = Clock.wallMilliseconds()
    return batches.map { batch in
      let stamps = watermarks.observe(
        batch.eventTimes.int64s, count: batch.count, partition: chunk.partition.index, now: now)
      guard let stamps else { return batch }
      return RecordBatch(
        schema: batch.schema, columns: batch.columns, count: batch.count, eventTimes: batch.eventTimes, stamps: stamps,
        origin: batch.origin)
    }
  }

  /// Sends in the ticket's turn, and returns what all tickets up to this one have counted.
  @discardableResult
  private func send(
    _ ticket: Int, _ watermark: EventTime, then mark: StreamElement? = nil, arrivedAt: Int64? = nil
  ) throws -> [CheckpointManifest.NodeCount] {
    var counts: [CheckpointManifest.NodeCount] = []
    try coordinator.send(ticket, watermark: watermark) { (risen) throws(Interruption) in
      if case .barrier(let barrier)? = mark { latency.seal(barrier.id, source: participant) }
      let arrival = arrivedAt.flatMap { latency.mark(source: participant, arrivedAt: $0) }
      for edge in edges {
        if let arrival { try edge.pass(arrival) }
        if let risen { try edge.broadcast(.watermark(Watermark(risen))) }
        if let mark { try edge.broadcast(mark) }
        try edge.flush()
      }
      if let mark, mark.isForDeadLetters { try deadLetters.edge.broadcast(mark) }
      try deadLetters.edge.flush()
      for (node, target) in zip(chain.nodes, counters) { node.counters.drain(into: target) }
      if mark != nil { counts = counters.compactMap(\.count) }
    }
    progress.setWatermark(watermark)
    return counts
  }
}

extension StreamElement {
  /// Whether the dead-letter stage has to hear of it: it has no watermark of its own.
  fileprivate var isForDeadLetters: Bool {
    switch self {
    case .barrier, .endOfInput: true
    case .batch, .watermark, .idle, .latency: false
    }
  }
}
