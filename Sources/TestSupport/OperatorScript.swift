import StreamModel

/// What happens to an operator under test, one thing after another: rows, watermarks and the passing of time.
///
/// The harness ends it by itself with the maximum watermark and `finish`.
package struct OperatorScript: Sendable {
  package enum Element: Hashable, Sendable {
    case row(TestRow, input: Int)
    /// The watermark over all inputs has risen to this.
    case watermark(EventTime)
    /// The wall clock has come to this; `onTimer` is called if the operator asked for it.
    case clock(Int64)
  }

  /// Schemas of the inputs.
  package let inputs: [Schema]
  package private(set) var elements: [Element]

  package init(_ inputs: [Schema], _ elements: [Element] = []) {
    self.inputs = inputs
    self.elements = elements
  }

  package init(_ input: Schema) { self.init([input]) }

  package mutating func row(
    at eventTime: EventTime, stamp: EventTime? = nil, input: Int = 0, place: TestRow.Place? = nil, _ values: [Value]
  ) {
    elements.append(.row(TestRow(at: eventTime, stamp: stamp, place: place, values), input: input))
  }

  package mutating func watermark(_ time: EventTime) { elements.append(.watermark(time)) }
  package mutating func clock(_ milliseconds: Int64) { elements.append(.clock(milliseconds)) }

  /// All rows, in order.
  package var rows: [(row: TestRow, input: Int)] {
    elements.compactMap { if case .row(let row, let input) = $0 { (row, input) } else { nil } }
  }

  /// What no source could have sent: a row behind a watermark that went before it without a stamp that says so, or a watermark
  /// that does not rise.
  package var fault: String? {
    var watermark = EventTimes.minimum
    for (index, element) in elements.enumerated() {
      switch element {
      case .watermark(let time):
        if time <= watermark { return "element \(index): watermark \(time) does not rise above \(watermark)" }
        watermark = time
      case .row(let row, let input):
        if !inputs.indices.contains(input) { return "element \(index): there is no input \(input)" }
        let reach = row.isBehind ? row.stamp ?? row.eventTime : row.eventTime - 1
        if watermark > EventTimes.minimum && reach < watermark {
          return "element \(index): a row at \(row.eventTime), stamped \(String(describing: row.stamp)), "
            + "comes after watermark \(watermark)"
        }
      case .clock: break
      }
    }
    return nil
  }

  /// The same input with rows of different inputs interleaved anew, each input's own order kept. A watermark comes when
  /// all rows that went before it have come.
  package func interleavedAnew(_ random: inout SeededRandom) -> OperatorScript {
    var queues = [[Int]](repeating: [], count: inputs.count)
    for (index, element) in elements.enumerated() {
      if case .row(_, let input) = element { queues[input].append(index) }
    }
    var shuffled: [Element] = []
    var isTaken = [Bool](repeating: false, count: elements.count)
    var passed = 0
    while let input = queues.indices.filter({ !queues[$0].isEmpty }).randomElement(using: &random) {
      for _ in 0..<random.int(1...12) where !queues[input].isEmpty {
        let index = queues[input].removeFirst()
        isTaken[index] = true
        shuffled.append(elements[index])
      }
      while passed < elements.count {
        if case .row = elements[passed] {
          if !isTaken[passed] { break }
        } else {
          shuffled.append(elements[passed])
        }
        passed += 1
      }
    }
    return OperatorScript(inputs, shuffled + elements[passed...])
  }
}
