/// Puts steps behind what they read.
struct StepOrder {
  /// Positions of the steps, each behind its inputs, otherwise as in the file. Steps of a cycle are left out.
  private(set) var order: [Int] = []
  private let drafts: [StepDraft]
  private let positions: [String: Int]
  private var marks: [Mark]
  private var trail: [Int] = []

  private enum Mark { case new, open, done, cyclic }

  init(_ drafts: [StepDraft]) {
    self.drafts = drafts
    positions = Dictionary(drafts.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    marks = Array(repeating: .new, count: drafts.count)
    for index in drafts.indices { visit(index) }
  }

  /// Depth first, without recursion: a chain of steps may be long.
  private mutating func visit(_ start: Int) {
    var pending: [(step: Int, next: Int)] = []
    func open(_ step: Int, _ marks: inout [Mark]) {
      marks[step] = .open
      pending.append((step, 0))
    }
    guard marks[start] == .new else { return }
    open(start, &marks)
    while let (step, next) = pending.last {
      let inputs = drafts[step].allInputs
      guard next < inputs.count else {
        pending.removeLast()
        if marks[step] == .open {
          marks[step] = .done
          order.append(step)
        }
        continue
      }
      pending[pending.count - 1].next += 1
      guard let input = positions[inputs[next].reference.producer] else { continue }
      switch marks[input] {
      case .new: open(input, &marks)
      case .open: closeCycle(pending.map(\.step), at: input)
      case .cyclic: marks[step] = .cyclic
      case .done: break
      }
    }
  }

  /// Reports the cycle that begins at `first` and ends where the trail does.
  private mutating func closeCycle(_ trail: [Int], at first: Int) {
    guard let begin = trail.firstIndex(of: first) else { return }
    let cycle = trail[begin...]
    // The trail goes from readers to what they read; rows flow the other way.
    let names = ([first] + cycle.reversed()).map { drafts[$0].name }
    let start = drafts[cycle.min() ?? first]
    let from = start.section["from"] ?? start.item
    from.fault(
      "the steps read each other in a circle: \(names.joined(separator: " → "))", "let one of them read something else")
    for step in trail { marks[step] = .cyclic }
  }
}
