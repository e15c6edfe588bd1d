import StreamModel

/// Values as the JSON contract writes them: one text for each value.
enum CanonicalText {
  /// `isApproximate`: rounded to nine digits, for what has no single right answer in binary.
  static func of(_ value: Value, isApproximate: Bool = false) -> String {
    switch value {
    case .null: return "null"
    case .boolean(let value): return "\(value)"
    case .int64(let value): return "\(value)"
    case .double(let value): return double(value, isApproximate: isApproximate)
    case .decimal(let digits, let scale): return decimal(digits, scale: scale)
    case .string(let text): return "'\(text)'"
    case .timestamp(let time): return "'\(TestTimes.text(time))'"
    case .bytes, .date: preconditionFailure("\(value) is not part of random topologies")
    }
  }

  static func double(_ value: Double, isApproximate: Bool) -> String {
    guard isApproximate, value != 0 else { return "\(value)" }
    var scale = 1.0
    while abs(value) * scale < 1e8 { scale *= 10 }
    return "\((value * scale).rounded() / scale)"
  }

  static func decimal(_ digits: Int128, scale: Int) -> String {
    let text = "\(digits.magnitude)"
    let padded = String(repeating: "0", count: max(0, scale + 1 - text.count)) + text
    let sign = digits < 0 ? "-" : ""
    return scale == 0 ? sign + padded : sign + padded.dropLast(scale) + "." + padded.suffix(scale)
  }
}
