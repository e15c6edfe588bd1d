/// Makes a failing topology smaller while it fails.
struct Shrinking {
  private(set) var smallest: TestTopology
  private let fails: (TestTopology) async -> Bool
  private var attempts = 400

  init(_ topology: TestTopology, fails: @escaping (TestTopology) async -> Bool) {
    smallest = topology
    self.fails = fails
  }

  /// Takes out sinks, steps that nothing reads, and then input, in ever smaller pieces.
  mutating func run() async {
    for index in smallest.sinks.indices.reversed() where smallest.sinks.count > 1 {
      await attempt { $0.sinks.remove(at: index) }
    }
    for index in smallest.steps.indices.reversed() {
      let name = smallest.steps[index].name
      if !isRead(name) { await attempt { $0.steps.remove(at: index) } }
    }
    for source in smallest.sources.indices.reversed() where smallest.sources.count > 1 {
      if !isRead(smallest.sources[source].name) { await attempt { $0.sources.remove(at: source) } }
    }
    for source in smallest.sources.indices {
      for file in smallest.sources[source].files.indices { await shrink(source, file) }
    }
  }

  private func isRead(_ name: String) -> Bool {
    let read = smallest.steps.flatMap { $0.inputs + $0.rightInputs } + smallest.sinks.flatMap(\.inputs)
    return read.contains { $0.producer == name }
  }

  private mutating func shrink(_ source: Int, _ file: Int) async {
    var piece = max(1, smallest.sources[source].files[file].records.count)
    while piece >= 1 {
      var start = 0
      while start < smallest.sources[source].files[file].records.count {
        let end = min(start + piece, smallest.sources[source].files[file].records.count)
        let isSmaller = await attempt { $0.sources[source].files[file].records.removeSubrange(start..<end) }
        if !isSmaller { start += piece }
      }
      piece /= 2
    }
  }

  @discardableResult
  private mutating func attempt(_ change: (inout TestTopology) -> Void) async -> Bool {
    guard attempts > 0 else { return false }
    attempts -= 1
    var smaller = smallest
    change(&smaller)
    guard await fails(smaller) else { return false }
    smallest = smaller
    return true
  }
}
