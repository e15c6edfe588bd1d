/// A point in event time: milliseconds since 1970-01-01T00:00:00Z.
package typealias EventTime = Int64

/// The end points of event time.
package enum EventTimes {
  /// Before every event: the watermark of a stream that has said nothing yet.
  package static let minimum: EventTime = .min
  /// After every event: the watermark when all input has ended.
  package static let maximum: EventTime = .max
  /// The earliest and latest times a record can carry: years 0001 to 9999, as SQL has them.
  package static let earliestRecord: EventTime = -62_135_596_800_000
  package static let latestRecord: EventTime = 253_402_300_799_999
}

/// A promise that no row with an event time at or before `time` follows, except late ones.
package struct Watermark: Hashable, Comparable, Sendable {
  package let time: EventTime
  package init(_ time: EventTime) { self.time = time }
  package static func < (left: Watermark, right: Watermark) -> Bool { left.time < right.time }

  package static let minimum = Watermark(EventTimes.minimum)
  package static let maximum = Watermark(EventTimes.maximum)
}

/// The mark in a stream between what belongs to checkpoint `id` and what comes after.
package struct CheckpointBarrier: Hashable, Sendable {
  package let id: Int64
  package init(id: Int64) { self.id = id }
}

/// A mark behind the rows of a chunk that says when they had arrived: whoever gets it has worked on them.
package struct LatencyMark: Hashable, Sendable {
  /// Counts a source's marks; decides which subtask of a stage gets it.
  package let number: Int
  /// Monotonic ns.
  package let arrivedAt: Int64

  package init(number: Int, arrivedAt: Int64) {
    self.number = number
    self.arrivedAt = arrivedAt
  }
}

/// What travels on an edge, in order.
package enum StreamElement: Sendable {
  case batch(RecordBatch)
  case watermark(Watermark)
  case barrier(CheckpointBarrier)
  /// No input of this edge is active: its watermark no longer holds the consumer back, until the next element.
  case idle
  /// Not for the results: for measuring. Goes to one subtask of each stage.
  case latency(LatencyMark)
  /// Nothing follows. Comes after the maximum watermark.
  case endOfInput
}
