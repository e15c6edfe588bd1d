import StreamModel

/// The watermark of several inputs: the least of those that are active.
///
/// An input is active from the start (with the minimum watermark), idle after `markIdle` until it is heard of again, and
/// ended after `markEnded`, when it holds nothing back any more. When all inputs are idle the watermark stays where it is.
struct WatermarkCoalescer {
  private var inputs: [EventTime]
  private var isIdle: [Bool]
  /// The combined watermark; it never goes back.
  private(set) var current = EventTimes.minimum

  init(inputCount: Int) {
    inputs = Array(repeating: EventTimes.minimum, count: inputCount)
    isIdle = Array(repeating: false, count: inputCount)
  }

  /// Whether no active input is left that could hold the watermark back.
  var areAllIdle: Bool { isIdle.allSatisfy { $0 } }

  /// Input `input` is at `watermark`. Returns the combined watermark if it has risen.
  mutating func update(_ input: Int, to watermark: EventTime) -> Watermark? {
    inputs[input] = max(inputs[input], watermark)
    isIdle[input] = false
    return raise()
  }

  mutating func markActive(_ input: Int) { isIdle[input] = false }

  mutating func markIdle(_ input: Int) -> Watermark? {
    isIdle[input] = true
    return raise()
  }

  mutating func markEnded(_ input: Int) -> Watermark? { update(input, to: EventTimes.maximum) }

  private mutating func raise() -> Watermark? {
    var least = EventTimes.maximum
    var hasActive = false
    for index in inputs.indices where !isIdle[index] {
      least = min(least, inputs[index])
      hasActive = true
    }
    guard hasActive, least > current else { return nil }
    current = least
    return Watermark(least)
  }
}
