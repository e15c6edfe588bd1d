import Connectors
import Formats
import StreamModel

/// Lets several workers read one source side by side without its order being lost.
///
/// A worker *takes* the next chunk together with a ticket, decodes it, and then waits for its ticket's turn twice: to stamp
/// its rows with the partition's watermark (which needs the event times of all earlier chunks), and to send its results.
/// So decoding and everything without state runs in parallel, while the rows leave in the order in which they were read,
/// and what they are stamped with depends on that order alone.
///
/// Invariant for `Sendable`: the reader is touched only under `readLock`, everything else only under `turns`.
final class SourceCoordinator: @unchecked Sendable {
  enum Work {
    case chunk(RecordChunk, prologue: [UInt8])
    /// A record that the reader itself knows to be bad.
    case undecodable(RecordChunk, DecodeFailure)
    case endOfPartition(SourcePartition)
    /// Time to see which partitions have been silent for too long. By index: which may have been, having nothing to give; nil
    /// for all.
    case silence(atEnd: [Bool]?)
    /// A checkpoint's barrier belongs here; the positions are those of everything before it.
    case barrier(id: Int64, [PartitionPosition])
    /// Nothing follows: all input has ended, or (not complete) the job was asked to stop at these positions.
    case end(isComplete: Bool, [PartitionPosition])
  }

  struct Ticket {
    let number: Int
    let work: Work
    /// When it had arrived, and when the worker began to read it, in monotonic ns.
    let arrivedAt: Int64
    let begunAt: Int64
  }

  private let reader: any SourceReader
  private let rate: Double?
  private var limiter: RateLimiter?
  private let targetBytes: Int
  private let readLock = Monitor()
  private var nextTicket = 0
  private var hasEnded = false
  private var isStopping = false
  private var pendingBarrier: Int64?
  /// When the reading of the next piece began, in monotonic ns.
  private var begunAt: Int64 = 0
  /// How often silence is looked for, and when next (monotonic ns); nil where partitions never idle.
  private let silenceInterval: Int64?
  private var silenceDue: Int64 = 0
  /// How many bytes a record has, roughly.
  private var bytesPerRecord = 200.0

  private let turns = Monitor()
  private var stampTurn = 0
  private var sendTurn = 0
  private var isClosed = false
  private var watermarks: SourceWatermarks
  private var lastSentWatermark = EventTimes.minimum
  private var isIdle = false

  /// - Parameter idleAfterMilliseconds: After what silence a partition idles; nil for never.
  init(
    reader: any SourceReader, watermarks: SourceWatermarks, rate: Double?, targetBytes: Int,
    idleAfterMilliseconds: Int64? = nil
  ) {
    self.reader = reader
    silenceInterval = idleAfterMilliseconds.map { min(max($0 / 4, 20), 1000) * 1_000_000 }
    self.watermarks = watermarks
    self.rate = rate
    limiter = rate.map { RateLimiter(rowsPerSecond: $0) }
    self.targetBytes = targetBytes
    self.watermarks.know(reader.partitions.count, now: Clock.wallMilliseconds())
  }

  // MARK: Reading

  /// The next piece of work, or nil when the end was handed out already. `resumption`: until when (monotonic ns) the worker reads
  /// no input; what is to be done beside that does not wait.
  func take(resumption: Int64 = 0) throws -> Ticket? {
    try readLock.locked {
      guard let work = try nextWork(resumption) else { return nil }
      if case .end = work { hasEnded = true }
      defer { nextTicket += 1 }
      return Ticket(
        number: nextTicket, work: work, arrivedAt: reader.arrivedAt ?? Clock.monotonicNanoseconds(),
        begunAt: begunAt)
    }
  }

  /// Nil when the end was handed out, perhaps to another worker while this one waited.
  private func nextWork(_ resumption: Int64) throws -> Work? {
    while !hasEnded {
      begunAt = Clock.monotonicNanoseconds()
      if let id = pendingBarrier {
        pendingBarrier = nil
        return .barrier(id: id, reader.positions)
      }
      if isStopping { return .end(isComplete: false, reader.positions) }
      if let silence = silenceIfDue() { return silence }
      let rest = max(limiter?.waitNanoseconds(at: begunAt) ?? 0, resumption - begunAt)
      guard rest <= 0 else {
        readLock.wait(milliseconds: max(1, rest / 1_000_000))
        continue
      }
      switch try reader.next(targetBytes: chunkBytes) {
      case .chunk(let chunk, let prologue): return .chunk(chunk, prologue: prologue)
      case .undecodable(let chunk, let failure): return .undecodable(chunk, failure)
      case .endOfPartition(let partition): return .endOfPartition(partition)
      case .endOfInput: return .end(isComplete: true, reader.positions)
      case .wait(let milliseconds):
        readLock.wait(milliseconds: Int64(max(1, milliseconds)))
        if silenceInterval != nil, pendingBarrier == nil, !isStopping, reader.partitionsAtEnd() == nil {
          return .silence(atEnd: nil)
        }
      }
    }
    return nil
  }

  /// Of a source that knows which of its partitions have nothing to give: also while others give records. Of any other, a
  /// partition that gives nothing may only not have had its turn.
  private func silenceIfDue() -> Work? {
    guard let silenceInterval else { return nil }
    let now = Clock.monotonicNanoseconds()
    guard now >= silenceDue else { return nil }
    defer { silenceDue = now + silenceInterval }
    guard silenceDue != 0, let atEnd = reader.partitionsAtEnd() else { return nil }
    return .silence(atEnd: atEnd)
  }

  /// A checkpoint with these positions is committed, and nothing else tells the source's system so.
  func noteCommitted(_ positions: [PartitionPosition]) { readLock.locked { reader.noteCommitted(positions) } }

  /// By partition: how many records wait to be read, where the source knows.
  var lag: [(partition: String, records: Int64)] { reader.lag }

  /// A source with a rate is read in pieces of about 20 ms.
  private var chunkBytes: Int {
    guard let rate else { return targetBytes }
    return max(1, min(targetBytes, Int(rate * 0.02 * bytesPerRecord)))
  }

  /// Records of a chunk were counted: with a rate, the next chunk waits for its time.
  func account(records: Int, bytes: Int) {
    guard rate != nil, records > 0 else { return }
    readLock.locked {
      bytesPerRecord = Double(bytes) / Double(records)
      limiter?.take(records, at: Clock.monotonicNanoseconds())
    }
  }

  /// Puts barrier `id` into the stream, after what has been read so far. Without effect once the end was handed out.
  func requestBarrier(_ id: Int64) {
    readLock.locked {
      pendingBarrier = id
      readLock.signalAll()
    }
  }

  /// Barrier `id` is not wanted any more; without effect once it is in the stream.
  func withdrawBarrier(_ id: Int64) {
    readLock.locked { if pendingBarrier == id { pendingBarrier = nil } }
  }

  /// No more chunks: workers finish what they have and end.
  func stop() {
    readLock.locked {
      isStopping = true
      readLock.signalAll()
    }
  }

  // MARK: Turns

  /// Waits for the ticket's turn to stamp, and stamps with the partition's watermarks.
  func stamp<Result>(_ ticket: Int, _ body: (inout SourceWatermarks) -> Result) throws(Interruption) -> (
    Result, EventTime
  ) {
    let stamped = try turns.locked { () throws(Interruption) in
      while stampTurn != ticket && !isClosed { turns.wait() }
      if isClosed { throw .cancelled }
      let result = body(&watermarks)
      stampTurn += 1
      return (result, watermarks.current)
    }
    turns.signalAll()
    return stamped
  }

  /// Waits for the ticket's turn to send, and sends. `body` gets the watermark to announce, if it has risen to `watermark`.
  func send(
    _ ticket: Int, watermark: EventTime, _ body: (EventTime?) throws(Interruption) -> Void
  ) throws(Interruption) {
    try turns.locked { () throws(Interruption) in
      while sendTurn != ticket && !isClosed { turns.wait() }
      if isClosed { throw .cancelled }
    }
    // The turn is this worker's alone until it is passed on, so sending (which may block) needs no lock.
    let risen = watermark > lastSentWatermark ? watermark : nil
    lastSentWatermark = max(lastSentWatermark, watermark)
    try body(risen)
    turns.locked { sendTurn += 1 }
    turns.signalAll()
  }

  /// Ends every wait with `Interruption.cancelled`.
  func close() {
    stop()
    turns.locked {
      isClosed = true
      turns.signalAll()
    }
  }

  func closeReader() { readLock.locked { reader.close() } }
}
