#if canImport(Glibc)
  import Glibc
#endif

/// A deterministic random number generator (SplitMix64): the same seed gives the same numbers everywhere.
package struct SeededRandom: RandomNumberGenerator, Sendable {
  package let seed: UInt64
  private var state: UInt64

  package init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  package mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  /// A number in `range`.
  package mutating func int(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &self) }

  /// Whether an event of probability `share` happens.
  package mutating func chance(_ share: Double) -> Bool { Double.random(in: 0..<1, using: &self) < share }
}

/// The seeds of a random test: `count` fixed ones and a fresh one, or the one in `WEIR_TEST_SEED`.
///
/// A test names the seed in what it throws, so that a failure can be run again from it.
package enum TestSeeds {
  package static func seeds(_ count: Int) -> [UInt64] {
    if let given = getenv("WEIR_TEST_SEED"), let seed = UInt64(String(cString: given)) { return [seed] }
    return (1...UInt64(count)).map { $0 } + [UInt64.random(in: 1000...UInt64.max)]
  }

  /// Runs `body` once a seed; what it throws names the seed.
  package static func each(_ count: Int, _ body: (inout SeededRandom) throws -> Void) throws {
    for seed in seeds(count) {
      var random = SeededRandom(seed: seed)
      do { try body(&random) } catch {
        throw HarnessFailure("with WEIR_TEST_SEED=\(seed): \(error)")
      }
    }
  }
}

/// A law that does not hold, and where.
package struct HarnessFailure: Error, CustomStringConvertible, Sendable {
  package let description: String
  package init(_ description: String) { self.description = description }
}
