import StreamModel

/// A place in a view's changes: of what is committed the checkpoint and which of its changes, of what is live which run of
/// the job and which of its changes.
package struct ViewPosition: Hashable, Sendable, Comparable {
  package let epoch: Int64
  package let number: Int64

  package init(epoch: Int64, number: Int64) {
    self.epoch = epoch
    self.number = number
  }

  package static func < (left: ViewPosition, right: ViewPosition) -> Bool {
    (left.epoch, left.number) < (right.epoch, right.number)
  }

  /// As an event's id: `12-5`.
  package var text: String { "\(epoch)-\(number)" }

  package init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    guard parts.count == 2, let epoch = Int64(parts[0]), let number = Int64(parts[1]) else { return nil }
    self.init(epoch: epoch, number: number)
  }
}

/// The latest changes of a view, in order, for readers that follow it. It holds what fits its bounds; who is further behind
/// reads the view anew.
final class ViewChangeLog: Sendable {
  /// Most bytes and runs that are kept.
  static let maxBytes = 16 << 20
  static let maxRuns = 4096

  private struct Part {
    let epoch: Int64
    let firstNumber: Int64
    let run: SortedRun
  }

  private struct Content {
    /// Everything after it is in `parts`.
    var base = ViewPosition(epoch: 0, number: 0)
    var head = ViewPosition(epoch: 0, number: 0)
    var parts: [Part] = []
    var sizeBytes = 0
  }

  private let content = Guarded(Content())

  /// Forgets everything; what follows follows `base`.
  func begin(at base: ViewPosition) {
    content.withLock { content in
      content = Content()
      content.base = base
      content.head = base
    }
  }

  /// Adds the changes of a run. In a later epoch numbers begin anew.
  func append(_ run: SortedRun, epoch: Int64) {
    content.withLock { content in
      let first = content.head.epoch == epoch ? content.head.number + 1 : 1
      content.parts.append(Part(epoch: epoch, firstNumber: first, run: run))
      content.head = ViewPosition(epoch: epoch, number: first + Int64(run.count) - 1)
      content.sizeBytes += run.sizeBytes
      while content.parts.count > 1,
        content.sizeBytes > ViewChangeLog.maxBytes || content.parts.count > ViewChangeLog.maxRuns
      {
        let part = content.parts.removeFirst()
        content.sizeBytes -= part.run.sizeBytes
        content.base = ViewPosition(epoch: part.epoch, number: part.firstNumber + Int64(part.run.count) - 1)
      }
    }
  }

  /// Nothing more belongs to `epoch`: its last place, which a later run of the job knows as well.
  func end(epoch: Int64) {
    content.withLock { $0.head = max($0.head, ViewPosition(epoch: epoch, number: .max)) }
  }

  /// Where the next change will follow.
  var head: ViewPosition { content.withLock { $0.head } }

  /// A stretch of the log.
  struct Stretch {
    /// Each with the place of its first change.
    var parts: [(epoch: Int64, firstNumber: Int64, run: SortedRun, from: Int)] = []
    var head: ViewPosition
  }

  /// What follows `position`; nil where that is not known any more, or never was.
  func after(_ position: ViewPosition) -> Stretch? {
    content.withLock { content in
      guard position >= content.base, position <= content.head else { return nil }
      var stretch = Stretch(head: content.head)
      for part in content.parts.reversed() {
        let last = ViewPosition(epoch: part.epoch, number: part.firstNumber + Int64(part.run.count) - 1)
        if last <= position { break }
        let from = part.epoch == position.epoch ? max(0, position.number + 1 - part.firstNumber) : 0
        stretch.parts.append((part.epoch, part.firstNumber, part.run, Int(from)))
      }
      stretch.parts.reverse()
      return stretch
    }
  }
}
