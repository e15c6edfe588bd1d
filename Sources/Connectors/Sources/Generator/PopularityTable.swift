/// Draws a rank below `count` with probability proportional to `(rank + 1)^-exponent` (Zipf) in constant time.
///
/// Walker's alias method, tables built as M. D. Vose describes (1991).
struct PopularityTable {
  static let exponent = 1.3

  private var thresholds: [UInt32]
  private var aliases: [UInt32]

  init(count: Int) {
    thresholds = Array(repeating: .max, count: count)
    aliases = (0..<count).map { UInt32($0) }
    var weights = (1...count).map {
      PortableMath.exponential(-PopularityTable.exponent * PortableMath.logarithm(Double($0)))
    }
    let scale = Double(count) / weights.reduce(0, +)
    for rank in 0..<count { weights[rank] *= scale }
    pair(&weights)
  }

  /// Fills every cell below the mean up from one above it.
  private mutating func pair(_ weights: inout [Double]) {
    var small = weights.indices.filter { weights[$0] < 1 }
    var large = weights.indices.filter { weights[$0] >= 1 }
    while let poor = small.popLast(), let rich = large.popLast() {
      thresholds[poor] = UInt32(min(weights[poor] * 0x1p32, Double(UInt32.max)))
      aliases[poor] = UInt32(rich)
      weights[rich] -= 1 - weights[poor]
      if weights[rich] < 1 { small.append(rich) } else { large.append(rich) }
    }
  }

  /// The rank that `random`, uniform in 64 bits, stands for.
  @inline(__always) func rank(_ random: UInt64) -> Int {
    let product = random.multipliedFullWidth(by: UInt64(thresholds.count))
    let cell = Int(product.high)
    return UInt32(truncatingIfNeeded: product.low >> 32) <= thresholds[cell] ? cell : Int(aliases[cell])
  }
}

/// Draws from a log-normal distribution in thousandths, by interpolating between 4,096 quantiles.
struct LogNormalTable {
  private let quantiles: [Int64]

  init(median: Double, sigma: Double) {
    quantiles = (0...4096).map { index in
      let probability = (Double(min(index, 4095)) + 0.5) / 4096
      let value = median * PortableMath.exponential(sigma * PortableMath.normalQuantile(probability))
      return max(1, Int64(value * 1000))
    }
  }

  /// The value in thousandths that `random`, uniform in 64 bits, stands for.
  @inline(__always) func value(_ random: UInt64) -> Int64 {
    let cell = Int(random >> 52)
    let low = quantiles[cell]
    let fraction = Int64(truncatingIfNeeded: random >> 32 & 0xFFFFF)
    return low &+ ((quantiles[cell + 1] &- low) &* fraction) >> 20
  }
}
