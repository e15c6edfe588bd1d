import Glibc

/// A seeded source of random numbers (SplitMix64). The seed is `WEIR_TEST_SEED` where set, else by the clock; a test that
/// uses one names the seed in its expectations.
struct SeededGenerator: RandomNumberGenerator {
  let seed: UInt64
  private var state: UInt64

  init() {
    let given = getenv("WEIR_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
    seed = given ?? UInt64(truncatingIfNeeded: Int(clock()) ^ time(nil))
    state = seed
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}
