import StreamModel

/// A column's type as a schema writes it: `decimal(18,3) not null`, `timestamp(epoch_s)`.
struct TypeText: Equatable {
  var type: DataType
  var nullable: Bool
  /// `timestamp(epoch_s)`: whole numbers are seconds.
  var isEpochSeconds = false

  struct Refusal: Error, Equatable {
    let message: String
    let mend: String
  }

  static let names = [
    "boolean", "int64", "double", "decimal(p,s)", "string", "bytes", "date", "timestamp", "timestamp(epoch_s)",
  ]

  /// What other systems call our types.
  private static let synonyms = [
    "bool": "boolean", "int": "int64", "integer": "int64", "bigint": "int64", "long": "int64", "int32": "int64",
    "smallint": "int64", "float": "double", "real": "double", "float64": "double", "number": "decimal(18,3)",
    "numeric": "decimal(18,3)", "varchar": "string", "text": "string", "char": "string", "str": "string",
    "binary": "bytes", "varbinary": "bytes", "bytea": "bytes", "datetime": "timestamp", "timestamptz": "timestamp",
    "time": "timestamp",
  ]

  static func parse(_ text: String) throws(Refusal) -> TypeText {
    var words = text.split { $0 == " " || $0 == "\t" || $0 == "\n" }[...]
    let isRequired = words.suffix(2).elementsEqual(["not", "null"])
    if isRequired { words = words.dropLast(2) }
    // Blanks may stand inside the parentheses: `decimal(18, 3)`.
    let name = words.joined()
    let isSplitName = words.count > 1 && !name.contains("(")
    guard !name.isEmpty, !isSplitName else { throw unknown(text) }
    if name == "timestamp(epoch_s)" { return TypeText(type: .timestamp, nullable: !isRequired, isEpochSeconds: true) }
    return TypeText(type: try type(named: name, text), nullable: !isRequired)
  }

  private static func type(named name: String, _ text: String) throws(Refusal) -> DataType {
    switch name {
    case "boolean": return .boolean
    case "int64": return .int64
    case "double": return .double
    case "string": return .string
    case "bytes": return .bytes
    case "date": return .date
    case "timestamp": return .timestamp
    default: break
    }
    guard name == "decimal" || name.hasPrefix("decimal(") else { throw unknown(text) }
    return try decimal(name)
  }

  private static func decimal(_ name: String) throws(Refusal) -> DataType {
    let inside = name.dropFirst("decimal(".count)
    let numbers = inside.dropLast().split(separator: ",", omittingEmptySubsequences: false)
    guard inside.last == ")", numbers.count == 2, let precision = Int(numbers[0]), let scale = Int(numbers[1]) else {
      throw Refusal(
        message: "`\(Shown.text(name))` is no decimal type", mend: "give digits and fraction digits: decimal(18,3)")
    }
    guard precision >= 1, precision <= DataType.maxDecimalPrecision else {
      throw Refusal(
        message: "a decimal has 1 to \(DataType.maxDecimalPrecision) digits, not \(precision)",
        mend:
          "use decimal(\(min(max(precision, 1), DataType.maxDecimalPrecision)),\(max(0, min(scale, DataType.maxDecimalPrecision))))"
      )
    }
    guard scale >= 0, scale <= precision else {
      throw Refusal(
        message: "\(scale) fraction digits do not fit \(precision) digits",
        mend: "give at most as many fraction digits as digits: decimal(\(precision),\(precision))")
    }
    return .decimal(precision: precision, scale: scale)
  }

  private static func unknown(_ text: String) -> Refusal {
    let shown = Shown.text(text)
    let word = String(text.lowercased().prefix { $0.isLetter || $0.isNumber || $0 == "_" })
    let known = names.map { String($0.prefix { $0 != "(" }) }
    if let ours = synonyms[word] { return Refusal(message: "`\(shown)` is no type", mend: "did you mean `\(ours)`?") }
    if let nearest = NearestName.nearest(to: word, among: known), nearest != text {
      return Refusal(
        message: "`\(shown)` is no type", mend: "did you mean `\(nearest == "decimal" ? "decimal(18,3)" : nearest)`?")
    }
    return Refusal(
      message: "`\(shown)` is no type",
      mend: "use \(Shown.alternatives(names)), with `not null` behind where it is never missing")
  }
}
