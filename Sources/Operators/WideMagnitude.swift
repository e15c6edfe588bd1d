/// A number without a sign, of any width: `limbs`, the lowest first, times `2^(64 · place)`.
struct WideMagnitude {
  private(set) var limbs: [UInt64]
  private(set) var place: Int

  init(_ limbs: [UInt64], place: Int) {
    self.limbs = limbs
    self.place = place
  }

  func multiplied(by factor: UInt64) -> WideMagnitude { multiplied(by: WideMagnitude([factor], place: 0)) }

  func multiplied(by other: WideMagnitude) -> WideMagnitude {
    var product = [UInt64](repeating: 0, count: limbs.count + other.limbs.count)
    for (index, limb) in limbs.enumerated() {
      var carry: UInt64 = 0
      for (otherIndex, otherLimb) in other.limbs.enumerated() {
        let sum = UInt128(limb) * UInt128(otherLimb) + UInt128(product[index + otherIndex]) + UInt128(carry)
        product[index + otherIndex] = UInt64(truncatingIfNeeded: sum)
        carry = UInt64(truncatingIfNeeded: sum >> 64)
      }
      product[index + other.limbs.count] = carry
    }
    return WideMagnitude(product, place: place + other.place)
  }

  /// The difference; zero where `other` is the larger.
  func subtracting(_ other: WideMagnitude) -> WideMagnitude {
    let lowest = min(place, other.place)
    let highest = max(place + limbs.count, other.place + other.limbs.count)
    var isLess = false
    let difference = (lowest..<highest).map { position in
      let (part, under) = limb(at: position).subtractingReportingOverflow(other.limb(at: position))
      let (rest, underByBorrow) = part.subtractingReportingOverflow(isLess ? 1 : 0)
      isLess = under || underByBorrow
      return rest
    }
    return isLess ? WideMagnitude([], place: 0) : WideMagnitude(difference, place: lowest)
  }

  private func limb(at position: Int) -> UInt64 {
    limbs.indices.contains(position - place) ? limbs[position - place] : 0
  }

  /// The square root, as near as a double comes to it but for two units in the last place.
  var squareRoot: Double {
    guard let top = limbs.lastIndex(where: { $0 != 0 }) else { return 0 }
    let next = top > 0 ? limbs[top - 1] : 0
    let head = Double(UInt128(limbs[top]) << 64 | UInt128(next))
    return Double(sign: .plus, exponent: (place + top - 1) * 32, significand: head.squareRoot())
  }
}
