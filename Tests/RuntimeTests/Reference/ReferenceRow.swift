import Operators
import StreamModel

/// Where a row of the reference model was read from.
struct ReferenceOrigin: Hashable {
  let source: String
  let file: String
  let offset: Int64
  let record: [UInt8]
}

/// One row of the reference model, with what TOPOLOGY.md says a row carries.
struct ReferenceRow {
  var values: [Value]
  var time: EventTime
  /// The watermark of the row's own partition just before it; the minimum for a row that a step made, which is never behind.
  var stamp = EventTimes.minimum
  /// Nil for a row that a step made.
  var origin: ReferenceOrigin?
  /// Source, partition, record: rows that were read are kept in this order. Empty for a row that a step made.
  var arrival: [Int] = []

  var isBehind: Bool { time <= stamp }
}

/// A stream by name.
struct StreamName: Hashable {
  let producer: String
  var port: SidePort?

  /// As a topology writes it.
  var text: String { port.map { "\(producer).\($0.rawValue)" } ?? producer }
}

/// A dead letter, without the time at which it failed and the words of its reason.
struct ReferenceDeadLetter: Hashable {
  let step: String
  let port: String
  let source: String?
  let partition: String?
  let offset: Int64?
  let time: EventTime?
  let record: [UInt8]?
}

/// What the model counted of a source or step.
struct ReferenceCounts: Equatable {
  var rowsIn = 0
  var rowsOut = 0
  var failed = 0
  var failedResults = 0
  var ports: [SidePort: Int] = [:]
  /// Whether what came in depends on timing, or what went out: updates of running aggregates, early and late panes.
  var variesIn = false
  var variesOut = false
}

extension Array where Element == ReferenceRow {
  /// In the order in which rows go on that many readers or subtasks gave: by event time, rows that are behind by the
  /// watermark they came behind; ties in order of arrival.
  func inTime() -> [ReferenceRow] {
    inOrder().enumerated().sorted { left, right in
      let (one, other) = (left.element, right.element)
      let releases = (one.isBehind ? one.stamp : one.time, other.isBehind ? other.stamp : other.time)
      return (releases.0, one.time, left.offset) < (releases.1, other.time, right.offset)
    }.map(\.element)
  }

  /// In order of arrival; rows that steps made in order of event time.
  func inOrder() -> [ReferenceRow] {
    enumerated().sorted { left, right in
      if left.element.arrival != right.element.arrival {
        return left.element.arrival.lexicographicallyPrecedes(right.element.arrival)
      }
      let isMade = left.element.origin == nil
      if isMade, left.element.time != right.element.time { return left.element.time < right.element.time }
      return left.offset < right.offset
    }.map(\.element)
  }
}
