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

  init(inbox: Inbox, chain: OperatorChain, inputs: [Int], edges: [EdgeWriter], progress: StageProgress) {
    self.inbox = inbox
    self.chain = chain
    self.inputs = inputs
    self.edges = edges
    self.progress = progress
    coalescer = WatermarkCoalescer(inputCount: inputs.count)
    openChannels = inputs.count
  }

  /// Works until the input has ended, and returns what its sinks have ready to be committed.
  /// When it fails, what its sinks have written is removed.
  func run() throws -> [PreparedSink] {
    do { return try work() } catch {
      chain.closeSinks()
      throw error
    }
  }

  private func work() throws -> [PreparedSink] {
    while openChannels > 0 {
      let waitStart = Clock.monotonicNanoseconds()
      let next = try inbox.next(deadline: chain.nextTimer)
      progress.addIdle(Clock.monotonicNanoseconds() - waitStart)
      if let next { try handle(next.element, next.channel) }
      try fireTimers()
    }
    if coalescer.current == EventTimes.maximum { try chain.finish() }
    for edge in edges { try edge.broadcast(.endOfInput) }
    return try chain.prepareSinks()
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
    case .barrier: break
    case .endOfInput:
      openChannels -= 1
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

/// What one sink writer has durable and not yet visible.
struct PreparedSink: Sendable {
  let writer: SinkHandle
  let parts: [PendingPart]
}

/// A sink writer handed from its subtask to the committer.
///
/// Invariant for `Sendable`: the subtask has ended and touches it no more.
final class SinkHandle: @unchecked Sendable {
  let writer: any SinkWriter
  init(_ writer: any SinkWriter) { self.writer = writer }
}

extension OperatorChain {
  /// Lets go of what the chain's sinks were given.
  func closeSinks() {
    for node in nodes { if case .write(let writer) = node.work { writer.close() } }
  }

  /// Makes durable what the chain's sinks were given.
  func prepareSinks() throws -> [PreparedSink] {
    try nodes.compactMap { node in
      guard case .write(let writer) = node.work else { return nil }
      return PreparedSink(writer: SinkHandle(writer), parts: try writer.prepare(checkpoint: 1))
    }
  }
}
