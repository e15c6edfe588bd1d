import StreamModel

/// Why a subtask stopped before its input ended.
enum Interruption: Error {
  /// The job is being cancelled.
  case cancelled
}

/// The input of one subtask: a bounded queue per channel, all read by one thread.
///
/// A channel is what one upstream subtask (or one whole source, whose workers take turns) sends, in order. Each is bounded
/// by itself, so that one can be held back, for the alignment of a barrier, without the others. Watermarks and other marks pass the bound: they are small, and must not
/// wait behind what they release.
///
/// Invariant for `Sendable`: all state is touched only under `monitor`.
final class Inbox: @unchecked Sendable {
  /// Most bytes and batches that wait in one channel.
  static let maxChannelBytes = 8 << 20
  static let maxChannelBatches = 8

  private struct Channel {
    var elements: [StreamElement] = []
    var head = 0
    var batches = 0
    var sizeBytes = 0
    var isBlocked = false
  }

  private let monitor = Monitor()
  private var channels: [Channel]
  private var nextChannel = 0
  private var isClosed = false
  private var cancelledCheckpoint: Int64?
  private var waitingSenders = 0
  private let progress: StageProgress?

  /// `progress`: where the time is counted that senders wait.
  init(channelCount: Int, progress: StageProgress? = nil) {
    channels = Array(repeating: Channel(), count: channelCount)
    self.progress = progress
  }

  /// Appends `element` to a channel; blocks while the channel is full.
  func send(_ element: StreamElement, channel: Int) throws(Interruption) {
    try send(CollectionOfOne(element), channel: channel)
  }

  /// Appends elements to a channel, and wakes the reader once; blocks while the channel is full.
  func send(_ elements: some Sequence<StreamElement>, channel: Int) throws(Interruption) {
    try monitor.locked { () throws(Interruption) in
      for element in elements {
        if case .batch(let batch) = element {
          if isFull(channels[channel]) { waitForRoom(channel) }
          channels[channel].batches += 1
          channels[channel].sizeBytes += batch.sizeBytes
        }
        if isClosed { throw .cancelled }
        channels[channel].elements.append(element)
      }
    }
    // Not under the lock, which whoever wakes would have to wait for.
    monitor.signalAll()
  }

  private func waitForRoom(_ channel: Int) {
    let start = Clock.monotonicNanoseconds()
    waitingSenders += 1
    monitor.signalAll()
    while isFull(channels[channel]) && !isClosed { monitor.wait() }
    waitingSenders -= 1
    progress?.addBlocked(Clock.monotonicNanoseconds() - start)
  }

  private func isFull(_ channel: Channel) -> Bool {
    channel.batches >= Inbox.maxChannelBatches
      || (channel.sizeBytes >= Inbox.maxChannelBytes && channel.batches > 0)
  }

  /// The next element of any channel that is not blocked, channels in turn; blocks until there is one. Nil when wall-clock
  /// time `deadline` (ms since 1970) comes first, and while `takeCancelledCheckpoint` has something to give.
  func next(deadline: Int64?) throws(Interruption) -> (channel: Int, element: StreamElement)? {
    try monitor.locked { () throws(Interruption) in
      while true {
        if isClosed { throw .cancelled }
        if cancelledCheckpoint != nil { return nil }
        if let channel = readyChannel() { return (channel, take(channel)) }
        guard let deadline else {
          monitor.wait()
          continue
        }
        // Compared first: "at once" is the least number there is.
        let now = Clock.wallMilliseconds()
        if deadline <= now { return nil }
        monitor.wait(milliseconds: deadline - now)
      }
    }
  }

  private func readyChannel() -> Int? {
    for offset in 0..<channels.count {
      let channel = (nextChannel + offset) % channels.count
      if !channels[channel].isBlocked, channels[channel].head < channels[channel].elements.count { return channel }
    }
    return nil
  }

  private func take(_ channel: Int) -> StreamElement {
    nextChannel = (channel + 1) % channels.count
    let element = channels[channel].elements[channels[channel].head]
    channels[channel].head += 1
    if channels[channel].head == channels[channel].elements.count {
      channels[channel].elements.removeAll(keepingCapacity: true)
      channels[channel].head = 0
    } else if channels[channel].head >= 64 {
      channels[channel].elements.removeFirst(channels[channel].head)
      channels[channel].head = 0
    }
    if case .batch(let batch) = element {
      channels[channel].batches -= 1
      channels[channel].sizeBytes -= batch.sizeBytes
      if waitingSenders > 0 { monitor.signalAll() }
    }
    return element
  }

  /// Checkpoint `id` is given up: the reader hears of it before it gets another element.
  func cancelCheckpoint(_ id: Int64) {
    monitor.locked {
      cancelledCheckpoint = max(id, cancelledCheckpoint ?? id)
      monitor.signalAll()
    }
  }

  /// The checkpoint that was given up since the last call, if any.
  func takeCancelledCheckpoint() -> Int64? {
    monitor.locked {
      defer { cancelledCheckpoint = nil }
      return cancelledCheckpoint
    }
  }

  /// Holds a channel back, or lets it go on.
  func setBlocked(_ isBlocked: Bool, channel: Int) {
    monitor.locked {
      channels[channel].isBlocked = isBlocked
      monitor.signalAll()
    }
  }

  /// Ends every wait, now and later, with `Interruption.cancelled`.
  func close() {
    monitor.locked {
      isClosed = true
      for index in channels.indices { channels[index] = Channel() }
      monitor.signalAll()
    }
  }
}
