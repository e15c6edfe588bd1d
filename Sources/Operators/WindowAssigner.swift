import StreamModel

/// Which windows the rows of one pane belong to.
///
/// Every row belongs to exactly one pane, whatever the number of its windows, and a window is the union of panes: a row of a
/// day-long window that slides by the minute is aggregated once, and panes are combined when a window closes. Windows of a
/// pane end at `firstEnd`, then every `every` ms up to `lastEnd`.
///
/// Rows that come after some of their windows have closed belong to panes of their own: those windows that are gone for
/// the row lie before `firstEnd`, and in those before `onTimeEnd` the row counts as late.
struct PaneKey: Hashable, Comparable {
  /// The start of the windows where they share one; zero where a start is the end less the size.
  let start: EventTime
  let firstEnd: EventTime
  let onTimeEnd: EventTime
  let lastEnd: EventTime

  static func < (left: PaneKey, right: PaneKey) -> Bool {
    (left.lastEnd, left.start, left.firstEnd, left.onTimeEnd)
      < (right.lastEnd, right.start, right.firstEnd, right.onTimeEnd)
  }
}

/// A pane and the event times of rows that belong to it when they come in time.
struct PaneSpan {
  let key: PaneKey
  let from: EventTime
  let until: EventTime
}

/// Assigns event times to panes.
///
/// Several interleaved calendars may be in use at once (each account's own billing cycle); a *context* numbers them. Where
/// there is one, it is 0.
protocol WindowAssigner: AnyObject {
  /// The distance between the ends of a pane's windows.
  var every: Int64 { get }
  /// Contexts are below this.
  var contextCount: Int { get }
  /// Goes up when contexts are numbered anew.
  var generation: Int { get }
  /// Finds the context of each row; nil where there is but one.
  func contexts(_ batch: RecordBatch) -> UnsafePointer<Int32>?
  /// Why rows of `context` have no window; nil where they have.
  func fault(ofContext context: Int32) -> String?
  /// The pane of rows at `time`; nil where windows leave gaps and `time` lies in one.
  func span(at time: EventTime, context: Int32) -> PaneSpan?
  /// Where the window of `pane` that ends at `end` starts.
  func start(ofWindowEndingAt end: EventTime, in pane: PaneKey) -> EventTime
}

extension WindowAssigner {
  var contextCount: Int { 1 }
  var generation: Int { 0 }
  func contexts(_ batch: RecordBatch) -> UnsafePointer<Int32>? { nil }
  func fault(ofContext context: Int32) -> String? { nil }

  /// The end that follows `end` in `pane`; past `lastEnd` where there is none.
  func end(after end: EventTime, in pane: PaneKey) -> EventTime {
    end >= pane.lastEnd ? pane.lastEnd + 1 : min(end + every, pane.lastEnd)
  }

  /// The first end of `pane` that is at least `bound`; past `lastEnd` where there is none.
  func firstEnd(of pane: PaneKey, atLeast bound: EventTime) -> EventTime {
    if bound <= pane.firstEnd { return pane.firstEnd }
    if bound > pane.lastEnd { return pane.lastEnd + 1 }
    return min(pane.firstEnd + (bound - pane.firstEnd + every - 1) / every * every, pane.lastEnd)
  }

  /// The pane of a row whose windows in time are those of `pane`, but which comes when `watermark` has passed. Nil where all
  /// of them have gone.
  func pane(_ pane: PaneKey, behind watermark: EventTime, lateness: Int64) -> PaneKey? {
    if pane.firstEnd - 1 > watermark { return pane }
    let watermark = min(watermark, EventTimes.maximum - 2)
    let kept = firstEnd(of: pane, atLeast: watermark - lateness + 2)
    guard kept <= pane.lastEnd else { return nil }
    return PaneKey(
      start: pane.start, firstEnd: kept, onTimeEnd: max(kept, firstEnd(of: pane, atLeast: watermark + 2)),
      lastEnd: pane.lastEnd)
  }
}

/// Windows of a fixed size, aligned to the epoch and moved by an offset: `tumble`, `hop` and `cumulate`.
final class FixedWindowAssigner: WindowAssigner {
  private let size: Int64
  let every: Int64
  private let offset: Int64
  private let cumulates: Bool

  /// Nil for windows that the event time alone does not decide.
  convenience init?(_ window: WindowSpec) {
    switch window {
    case .tumble(let size, let offset): self.init(size: size, every: size, offset: offset)
    case .hop(let size, let every, let offset): self.init(size: size, every: every, offset: offset)
    case .cumulate(let size, let every, let offset):
      self.init(size: size, every: every, offset: offset, cumulates: true)
    case .session, .calendar, .none: return nil
    }
  }

  /// Windows of `size` that begin every `every`; where they cumulate, windows that begin every `size` and end every `every`.
  init(size: Int64, every: Int64, offset: Int64, cumulates: Bool = false) {
    precondition(size > 0 && every > 0, "a checked topology has no window of zero")
    self.size = size
    self.every = every
    self.offset = offset
    self.cumulates = cumulates
  }

  /// The greatest multiple of `step`, moved by `origin`, that is at most `time`.
  private static func floor(_ time: Int64, _ step: Int64, _ origin: Int64) -> Int64 {
    let rest = (time - origin) % step
    return time - (rest < 0 ? rest + step : rest)
  }

  func span(at time: EventTime, context: Int32) -> PaneSpan? {
    cumulates ? cumulatingSpan(time) : slidingSpan(time)
  }

  private func slidingSpan(_ time: EventTime) -> PaneSpan? {
    let lastStart = FixedWindowAssigner.floor(time, every, offset)
    let lastEnd = lastStart + size
    guard lastEnd > time else { return nil }
    let firstEnd = FixedWindowAssigner.floor(time, every, offset + size) + every
    let key = PaneKey(start: 0, firstEnd: firstEnd, onTimeEnd: firstEnd, lastEnd: lastEnd)
    return PaneSpan(
      key: key, from: max(firstEnd - every, lastStart), until: min(firstEnd, lastStart + every))
  }

  private func cumulatingSpan(_ time: EventTime) -> PaneSpan {
    let start = FixedWindowAssigner.floor(time, size, offset)
    let from = start + (time - start) / every * every
    let firstEnd = min(from + every, start + size)
    let key = PaneKey(start: start, firstEnd: firstEnd, onTimeEnd: firstEnd, lastEnd: start + size)
    return PaneSpan(key: key, from: from, until: firstEnd)
  }

  func start(ofWindowEndingAt end: EventTime, in pane: PaneKey) -> EventTime {
    cumulates ? pane.start : end - size
  }
}
