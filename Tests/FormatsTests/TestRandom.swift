import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// A seeded generator (SplitMix64). Its seed is in `WEIR_TEST_SEED`, or new in every run and in every failure's comment.
struct TestRandom: RandomNumberGenerator {
  let seed: UInt64
  private var state: UInt64

  init(seed: UInt64) {
    self.seed = seed
    state = seed
  }

  init() {
    let given = getenv("WEIR_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
    self.init(seed: given ?? UInt64.random(in: 0...UInt64(UInt32.max)))
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }
  mutating func chance(_ oneIn: Int) -> Bool { below(oneIn) == 0 }
  mutating func pick<Element>(_ choices: [Element]) -> Element { choices[below(choices.count)] }

  /// Changes, inserts, removes or cuts a few bytes.
  mutating func mutated(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    let marks: [UInt8] = Array("\"\\{}[]:,\n\r-.0e \u{1}".utf8) + [0x00, 0x80, 0xC3, 0xE2, 0xFF, 0x0C, 0x1A]
    for _ in 0...below(3) where !bytes.isEmpty {
      let at = below(bytes.count)
      switch below(5) {
      case 0: bytes[at] = UInt8.random(in: 0...255, using: &self)
      case 1: bytes[at] = pick(marks)
      case 2: bytes.insert(pick(marks), at: at)
      case 3: bytes.remove(at: at)
      default: bytes.removeSubrange(at..<min(bytes.count, at + 1 + below(8)))
      }
    }
    return bytes
  }
}
