/// A whole number of any size as decimal digits, with arithmetic as taught in school: slow and obvious.
struct SchoolNumber: Equatable {
  var isNegative: Bool
  /// Least significant first, without leading zeros; empty for zero.
  var digits: [Int]

  init(isNegative: Bool, digits: [Int]) {
    self.digits = digits
    while self.digits.last == 0 { self.digits.removeLast() }
    self.isNegative = isNegative && !self.digits.isEmpty
  }

  init(_ value: Int128) {
    self.init(isNegative: value < 0, digits: "\(value.magnitude)".utf8.reversed().map { Int($0) - 48 })
  }

  var isZero: Bool { digits.isEmpty }

  func shifted(_ places: Int) -> SchoolNumber {
    SchoolNumber(isNegative: isNegative, digits: [Int](repeating: 0, count: places) + digits)
  }

  var negated: SchoolNumber { SchoolNumber(isNegative: !isNegative, digits: digits) }

  static func compareMagnitudes(_ left: [Int], _ right: [Int]) -> Int {
    if left.count != right.count { return left.count - right.count }
    for (first, second) in zip(left.reversed(), right.reversed()) where first != second { return first - second }
    return 0
  }

  static func + (left: SchoolNumber, right: SchoolNumber) -> SchoolNumber {
    if left.isNegative == right.isNegative {
      var sum: [Int] = []
      var carry = 0
      for index in 0..<max(left.digits.count, right.digits.count) + 1 {
        let total =
          (index < left.digits.count ? left.digits[index] : 0) + (index < right.digits.count ? right.digits[index] : 0)
          + carry
        sum.append(total % 10)
        carry = total / 10
      }
      return SchoolNumber(isNegative: left.isNegative, digits: sum)
    }
    let (large, small) = compareMagnitudes(left.digits, right.digits) >= 0 ? (left, right) : (right, left)
    return SchoolNumber(isNegative: large.isNegative, digits: minus(large.digits, small.digits))
  }

  private static func minus(_ large: [Int], _ small: [Int]) -> [Int] {
    var result: [Int] = []
    var borrow = 0
    for index in 0..<large.count {
      var digit = large[index] - borrow - (index < small.count ? small[index] : 0)
      borrow = digit < 0 ? 1 : 0
      if digit < 0 { digit += 10 }
      result.append(digit)
    }
    return SchoolNumber(isNegative: false, digits: result).digits
  }

  static func * (left: SchoolNumber, right: SchoolNumber) -> SchoolNumber {
    var result = [Int](repeating: 0, count: left.digits.count + right.digits.count + 1)
    for (place, first) in left.digits.enumerated() {
      for (other, second) in right.digits.enumerated() { result[place + other] += first * second }
    }
    for index in 0..<result.count - 1 {
      result[index + 1] += result[index] / 10
      result[index] %= 10
    }
    return SchoolNumber(isNegative: left.isNegative != right.isNegative, digits: result)
  }

  /// Quotient toward zero, and the rest with the sign of the dividend.
  static func divide(_ left: SchoolNumber, _ right: SchoolNumber) -> (quotient: SchoolNumber, rest: SchoolNumber) {
    var quotient: [Int] = []
    var rest: [Int] = []
    for digit in left.digits.reversed() {
      rest = SchoolNumber(isNegative: false, digits: [digit] + rest).digits
      var times = 0
      while compareMagnitudes(rest, right.digits) >= 0 {
        rest = minus(rest, right.digits)
        times += 1
      }
      quotient.insert(times, at: 0)
    }
    return (
      SchoolNumber(isNegative: left.isNegative != right.isNegative, digits: quotient),
      SchoolNumber(isNegative: left.isNegative, digits: rest)
    )
  }

  /// The quotient to the nearest whole number, away from zero at a tie.
  static func rounded(_ left: SchoolNumber, by right: SchoolNumber) -> SchoolNumber {
    let (quotient, rest) = divide(left, right)
    let twice = rest + rest
    guard compareMagnitudes(twice.digits, right.digits) >= 0 else { return quotient }
    return quotient + SchoolNumber(isNegative: left.isNegative != right.isNegative, digits: [1])
  }

  /// As text, with `scale` digits after the point.
  func text(scale: Int) -> String {
    var shown = digits.map { Character(UnicodeScalar(UInt8(48 + $0))) }
    while shown.count <= scale { shown.append("0") }
    if scale > 0 { shown.insert(".", at: scale) }
    return (isNegative ? "-" : "") + String(shown.reversed())
  }
}
