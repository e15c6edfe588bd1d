import Checkpoint
import Connectors
import StreamModel

/// One subtask of a stage that has edges as its input: a loop over its inbox.
///
/// Runs on a thread of its own. Ends when every channel has ended; if the input was complete, operators emit what they
/// still hold, otherwise (the job is being stopped) they keep it.
final class Subtask {
  private let inbox: Inbox
  private let chain: OperatorChain
  /// The chain's input of each channel, and edges out.
  private let inputs: [Int]
  private let edges: [EdgeWriter]
  private let progress: StageProgress
  private var coalescer: WatermarkCoalescer
  private var openChannels: Int
  private var alignment: BarrierAlignmentStateMachine
  private var lastCheckpoint: Int64
  private let checkpoints: CheckpointDriver
  private let participant: Int
  /// Where a mark's age is noted: in stages that write views.
  private let liveLatency: LatencyHistogram?

  /// `lastCheckpoint`: the highest checkpoint number used so far.
  init(
    inbox: Inbox, chain: OperatorChain, inputs: [Int], edges: [EdgeWriter], progress: StageProgress,
    checkpoints: CheckpointDriver, participant: Int, lastCheckpoint: Int64, liveLatency: LatencyHistogram? = nil
  ) {
    self.liveLatency = liveLatency
    self.checkpoints = checkpoints
    self.participant = participant
    self.lastCheckpoint = lastCheckpoint
    alignment = BarrierAlignmentStateMachine(channelCount: inputs.count, lastID: lastCheckpoint)
    self.inbox = inbox
    self.chain = chain
    self.inputs = inputs
    self.edges = edges
    self.progress = progress
    coalescer = WatermarkCoalescer(inputCount: inputs.count)
    openChannels = inputs.count
  }

  /// Works until the input has ended, and reports its last state and what its sinks have ready to be committed.
  /// When it fails, what its sinks have written since the last checkpoint is removed.
  func run() throws {
    do { try work() } catch {
      chain.closeSinks()
      throw error
    }
  }

  private func work() throws {
    while openChannels > 0 {
      let waitStart = Clock.monotonicNanoseconds()
      let next = try inbox.next(deadline: chain.nextTimer)
      progress.addIdle(Clock.monotonicNanoseconds() - waitStart)
      if let next {
        try handle(next.element, next.channel)
      } else if let id = inbox.takeCancelledCheckpoint() {
        try act(alignment.cancel(id))
      }
      try fireTimers()
    }
    if coalescer.current == EventTimes.maximum { try chain.finish() }
    for edge in edges { try edge.broadcast(.endOfInput) }
    checkpoints.end(participant, try chain.report(checkpoint: lastCheckpoint + 1), isComplete: true)
  }

  private func handle(_ element: StreamElement, _ channel: Int) throws {
    switch element {
    case .batch(let batch):
      coalescer.markActive(channel)
      try chain.process(batch, input: inputs[channel])
    case .watermark(let watermark): try advance(coalescer.update(channel, to: watermark.time))
    case .idle:
      try advance(coalescer.markIdle(channel))
      if coalescer.areAllIdle { for edge in edges { try edge.broadcast(.idle) } }
    case .latency(let mark):
      liveLatency?.observe(nanoseconds: Clock.monotonicNanoseconds() - mark.arrivedAt)
      for edge in edges { try edge.pass(mark) }
    case .barrier(let barrier): try act(alignment.receiveBarrier(barrier.id, channel: channel))
    case .endOfInput:
      openChannels -= 1
      try act(alignment.endChannel(channel))
    }
  }

  private func act(_ action: BarrierAlignmentStateMachine.Action) throws {
    switch action {
    case .none: break
    case .hold(let channel): inbox.setBlocked(true, channel: channel)
    case .release(let channels): for channel in channels { inbox.setBlocked(false, channel: channel) }
    case .snapshot(let id, let channels):
      lastCheckpoint = id
      CrashPoint.reached("barrier-aligned")
      let report = try chain.report(checkpoint: id)
      CrashPoint.reached("snapshot-taken")
      checkpoints.acknowledge(id, by: participant, report)
      CrashPoint.reached("acknowledged")
      for edge in edges { try edge.broadcast(.barrier(CheckpointBarrier(id: id))) }
      for channel in channels { inbox.setBlocked(false, channel: channel) }
    case .fault(let reason): throw JobError.operation(step: "checkpoint", reason: reason)
    }
  }

  private func advance(_ risen: Watermark?) throws {
    guard let risen else { return }
    progress.setWatermark(risen.time)
    try chain.advance(to: risen)
  }

  private func fireTimers() throws {
    guard let due = chain.nextTimer else { return }
    let now = Clock.wallMilliseconds()
    if due <= now { try chain.onTimer(now) }
  }
}
