import StreamModel

/// `aggregate`: groups of rows by key and window, and what is computed of each group.
///
/// The three kinds share how keys are encoded and rows aggregated (`GroupStore`, `Accumulator`) and differ in what
/// a group is and when its result is given: `WindowAggregate`, `SessionAggregate`, `RunningAggregate`.
package enum AggregateOperator {
  /// The operator that `spec` describes.
  package static func make(_ spec: AggregateSpec) -> any StreamOperator {
    if let assigner = FixedWindowAssigner(spec.window) { return WindowAggregate(spec, assigner) }
    return switch spec.window {
    case .tumble, .hop, .cumulate: preconditionFailure("a window of a fixed size has an assigner")
    case .calendar(let unit, let timezone, let cycleDay):
      WindowAggregate(spec, CalendarWindowAssigner(unit, timezone: timezone, cycleDay: cycleDay))
    case .session(let gap): SessionAggregate(spec, gap: gap)
    case .none: RunningAggregate(spec)
    }
  }
}
