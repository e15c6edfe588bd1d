import StreamModel

extension FlinkWriter {
  /// Functions that Flink SQL has under another name.
  private static let names: [String: String] = [
    "length": "CHAR_LENGTH", "pow": "POWER", "mod": "MOD", "ceiling": "CEIL", "substr": "SUBSTRING",
    "starts_with": "STARTSWITH", "ends_with": "ENDSWITH", "regexp_like": "REGEXP", "timestamp_add": "TIMESTAMPADD",
    "timestamp_diff": "TIMESTAMPDIFF", "round_half_even": "ROUND",
  ]

  mutating func call(_ call: SyntaxNode.Call, _ node: SyntaxNode) -> String {
    if AggregateRule.names.contains(call.name) { return aggregate(call, node) }
    var arguments = call.arguments.map { write($0) }
    switch call.name {
    case "extract": return "EXTRACT(\(arguments.joined(separator: " FROM ")))"
    case "date_trunc": return "FLOOR(\(arguments[1]) TO \(arguments[0]))"
    case "position": return "POSITION(\(arguments.joined(separator: " IN ")))"
    case "trim" where arguments.count == 2: return "BTRIM(\(arguments.joined(separator: ", ")))"
    case "lpad", "rpad": if arguments.count == 2 { arguments.append("' '") }
    case "parse_timestamp", "try_parse_timestamp": return parsing(call, arguments)
    case "round_half_even":
      note("`\(snippet(node))`: ties go to the even neighbour here, away from zero in Flink SQL")
    case "octet_length":
      note("`\(snippet(node))`: Flink SQL has no function for the length in bytes")
    case "regexp_like":
      note("`\(snippet(node))`: the pattern is one of Java's there, which differ in corners")
    default: break
    }
    return "\(FlinkWriter.names[call.name] ?? call.name.uppercased())(\(arguments.joined(separator: ", ")))"
  }

  /// strftime's fields as Java's date-time patterns have them.
  private static let fields: [Character: String] = [
    "Y": "yyyy", "y": "yy", "m": "MM", "d": "dd", "H": "HH", "M": "mm", "S": "ss", "b": "MMM", "B": "MMMM", "j": "DDD",
    "I": "hh", "p": "a", "F": "yyyy-MM-dd", "T": "HH:mm:ss", "R": "HH:mm",
  ]

  private mutating func parsing(_ call: SyntaxNode.Call, _ arguments: [String]) -> String {
    if call.name == "parse_timestamp" {
      note("`parse_timestamp`: where the text does not fit, a dead letter here and NULL in Flink SQL")
    }
    guard case .literal(.text(let format)) = call.arguments[1].kind, let pattern = FlinkWriter.pattern(format) else {
      note("the format of `\(call.name)` has no counterpart among Java's patterns")
      return "TO_TIMESTAMP_LTZ(\(arguments.joined(separator: ", ")))"
    }
    let zone = arguments.count > 2 ? arguments[2] : "'UTC'"
    return "TO_TIMESTAMP_LTZ(\(arguments[0]), \(FlinkText.literal(pattern)), \(zone))"
  }

  /// A strftime format as a Java pattern; nil where a field has no counterpart.
  private static func pattern(_ format: String) -> String? {
    var pattern = ""
    var isField = false
    for character in format {
      if isField {
        guard let field = character == "%" ? "%" : fields[character] else { return nil }
        pattern += field
        isField = false
      } else if character == "%" {
        isField = true
      } else {
        pattern += character.isLetter ? "'\(character)'" : String(character)
      }
    }
    return isField ? nil : pattern
  }

  private mutating func aggregate(_ call: SyntaxNode.Call, _ node: SyntaxNode) -> String {
    let outer = place
    place = .insideAggregate
    defer { place = outer }
    var argument = call.isStar ? "*" : call.arguments.first.map { write($0) } ?? "*"
    let type = call.arguments.first.map { typed($0).type } ?? .int64
    var name = call.name.uppercased()
    switch call.name {
    case "avg" where type == .int64: argument = "CAST(\(argument) AS DECIMAL(19, 0))"
    case "stddev_pop" where type != .double: argument = "CAST(\(argument) AS DOUBLE)"
    case "first", "last":
      name += "_VALUE"
      note("`\(snippet(node))`: goes by event time here, by arrival in Flink SQL")
    default: break
    }
    let filter = call.filter.map { " FILTER (WHERE \(write($0)))" } ?? ""
    return "\(name)(\(call.isDistinct ? "DISTINCT " : "")\(argument))\(filter)"
  }
}
