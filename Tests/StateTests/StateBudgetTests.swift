import State
import TestSupport
import Testing

/// Who writes state out when memory runs short.
struct StateBudgetTests {
  private static func budget(_ megabytes: Int, holding: [Int]) -> StateBudget {
    let budget = StateBudget(limitBytes: megabytes << 20)
    for bytes in holding {
      budget.join()
      budget.add(bytes)
    }
    return budget
  }

  @Test func whoHoldsLittle_writesNothing_howeverFarTheBoundIsPassed() {
    for members in [1, 3, 384, 10_000] {
      let holding = Array(repeating: 100 << 10, count: members) + [1 << 30]
      let budget = Self.budget(256, holding: holding)
      #expect(!budget.mustSpill(holding: 100 << 10))
      #expect(budget.mustSpill(holding: 1 << 30))
    }
  }

  @Test func withinTheBound_nobodyWrites() {
    let budget = Self.budget(256, holding: [200 << 20])
    #expect(budget.tableBytes > 200 << 20 && !budget.mustSpill(holding: 200 << 20))
  }

  /// Each run has many rows, and memory is bounded: past the bound somebody has to write, unless all hold too little to be worth it.
  @Test func pastTheBound_whoeverHoldsMost_writes() throws {
    try TestSeeds.each(50) { random in
      let members = Int(random.int(1...400))
      var holding = (0..<members).map { _ in Int(random.int(0...4)) << 18 }
      holding[0] += max(0, (208 << 20) + 1 - holding.reduce(0, +))
      let budget = Self.budget(256, holding: holding)
      let most = holding.max() ?? 0
      #expect(most < 128 << 10 || budget.mustSpill(holding: most), "\(members) hold \(holding)")
    }
  }

  @Test func ofTheOperatorsOfASubtask_thoseWithHardlyAnythingKeepIt_andSomeoneWrites() throws {
    #expect(!StateBudget.isWorthwhile(6_000, of: 10 << 20, among: 2))
    #expect(StateBudget.isWorthwhile(200 << 10, of: 10 << 20, among: 2))
    try TestSeeds.each(50) { random in
      let operators = (0..<Int(random.int(1...6))).map { _ in Int(random.int(0...1)) * Int(random.int(0...200_000)) }
      let held = operators.reduce(0, +)
      #expect(operators.contains { StateBudget.isWorthwhile($0, of: held, among: operators.count) })
    }
  }
}
