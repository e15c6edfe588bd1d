import State
import StreamModel

/// Watermarks of one source: of each partition, after each record, and of the stream, their minimum.
///
/// A partition's watermark is the highest event time it has given, less the delay, less 1 ms. A partition holds the stream
/// back from the moment it is known until it ends or idles. Rows are stamped in the order in which the source's chunks were
/// read, so that what is late depends on that order alone. One caller at a time.
struct SourceWatermarks {
  private struct Partition {
    /// Highest event time so far; nil before the first row.
    var highest: EventTime?
    /// What the watermark cannot be below: that of the stream while the partition idled, or when it was found.
    var floor = EventTimes.minimum
    var hasEnded = false
    var isIdle = false
    var lastActive: Int64
  }

  private let delay: Int64
  private let idleAfter: Int64?
  private var partitions: [Partition] = []
  /// Every partition before it has ended.
  private var firstOpen = 0
  /// The stream's watermark; it never goes back.
  private(set) var current = EventTimes.minimum

  init(delayMilliseconds: Int64, idleAfterMilliseconds: Int64?) {
    delay = delayMilliseconds
    idleAfter = idleAfterMilliseconds
  }

  /// Makes partitions `0..<count` known; new ones start at the stream's watermark.
  mutating func know(_ count: Int, now: Int64) {
    while partitions.count < count {
      partitions.append(Partition(floor: current, lastActive: now))
    }
  }

  private func watermark(of partition: Partition) -> EventTime {
    guard let highest = partition.highest else { return partition.floor }
    return max(partition.floor, highest - delay - 1)
  }

  /// Takes note of the rows of one partition, in order, and returns the stamp of each when any is behind.
  mutating func observe(_ times: UnsafePointer<EventTime>, count: Int, partition index: Int, now: Int64) -> Column? {
    know(index + 1, now: now)
    partitions[index].lastActive = now
    partitions[index].isIdle = false
    // A stream without event time has no watermark before its end.
    guard count > 0, times[0] != EventTimes.minimum else { return nil }
    let stamps = stampRows(times, count, index)
    raise()
    return stamps
  }

  private mutating func stampRows(_ times: UnsafePointer<EventTime>, _ count: Int, _ index: Int) -> Column? {
    var watermark = watermark(of: partitions[index])
    var highest = partitions[index].highest ?? EventTimes.minimum
    let lag = delay + 1
    var stamps: Memory?
    for row in 0..<count {
      let time = times[row]
      if time <= watermark {
        if stamps == nil { stamps = SourceWatermarks.emptyStamps(count) }
        stamps?.base.assumingMemoryBound(to: EventTime.self)[row] = watermark
      }
      if time > highest {
        highest = time
        if time - lag > watermark { watermark = time - lag }
      }
    }
    partitions[index].highest = highest
    return stamps.map { Column(type: .timestamp, count: count, values: $0) }
  }

  private static func emptyStamps(_ count: Int) -> Memory {
    let stamps = Memory(capacityBytes: count * 8)
    stamps.base.assumingMemoryBound(to: EventTime.self).update(repeating: EventTimes.minimum, count: count)
    return stamps
  }

  /// The partition has given its last row.
  mutating func end(partition index: Int, now: Int64) {
    know(index + 1, now: now)
    partitions[index].hasEnded = true
    while firstOpen < partitions.count, partitions[firstOpen].hasEnded { firstOpen += 1 }
    raise()
  }

  /// Wall-clock time is `now`: partitions that have been silent for too long stop holding the stream back.
  /// Returns whether no partition is active.
  /// - Parameter atEnd: By index: whether a partition has nothing to give. One that has is not silent: its rows are on their
  ///   way. Nil for all.
  mutating func noteSilence(now: Int64, atEnd: [Bool]? = nil) -> Bool {
    guard let idleAfter else { return false }
    if let atEnd {
      for index in partitions.indices where index >= atEnd.count || !atEnd[index] { partitions[index].lastActive = now }
    }
    for index in partitions.indices where now - partitions[index].lastActive >= idleAfter {
      partitions[index].isIdle = true
    }
    raise()
    return !partitions.isEmpty && partitions.allSatisfy { $0.isIdle || $0.hasEnded }
  }

  /// Everything by partition index, for a checkpoint.
  func snapshot() -> [UInt8] {
    var writer = StateWriter()
    writer.write(current)
    writer.write(count: partitions.count)
    for partition in partitions {
      writer.write(partition.highest ?? EventTimes.minimum)
      writer.write(partition.floor)
      writer.write(partition.hasEnded)
    }
    return writer.bytes
  }

  /// Takes over what `snapshot` gave. Partitions beyond it are new.
  mutating func restore(_ bytes: [UInt8], now: Int64) throws(StateError) {
    var reader = StateReader(bytes)
    current = try reader.readInt64()
    partitions = []
    for _ in 0..<(try reader.readCount()) {
      let highest = try reader.readInt64()
      var partition = Partition(floor: try reader.readInt64(), lastActive: now)
      partition.highest = highest == EventTimes.minimum ? nil : highest
      partition.hasEnded = try reader.readBool()
      partitions.append(partition)
    }
    firstOpen = partitions.firstIndex { !$0.hasEnded } ?? partitions.count
  }

  /// All input has ended: whatever came now would be late.
  mutating func endAll() { current = EventTimes.maximum }

  private mutating func raise() {
    var least = EventTimes.maximum
    var hasActive = false
    for partition in partitions[firstOpen...] where !partition.hasEnded && !partition.isIdle {
      least = min(least, watermark(of: partition))
      hasActive = true
      if least <= current { break }
    }
    guard hasActive, least > current else { return }
    current = least
    for index in firstOpen..<partitions.count where partitions[index].isIdle {
      partitions[index].floor = max(partitions[index].floor, current)
    }
  }
}
