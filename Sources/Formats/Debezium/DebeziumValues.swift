import StreamModel

/// How the values of one row's fields are written in a change, where that is not as our JSON writes them.
///
/// Kafka Connect's `schema`, where a change carries it, names the types: decimals as base64 of their scaled number, times in
/// micro- or nanoseconds, days as numbers. Without it only days can be told, by the column's type.
struct DebeziumValues {
  enum Form: Hashable {
    case days
    case micros
    case nanos
    /// `org.apache.kafka.connect.data.Decimal`.
    case decimal(scale: Int)
    /// `io.debezium.data.VariableScaleDecimal`: an object of `scale` and `value`.
    case variableDecimal
  }

  /// What was wrong with a value.
  struct Refusal: Error {
    let reason: String
  }

  private(set) var forms: [String: Form] = [:]

  /// - Parameter schema: The change's `schema`, if it has one.
  init(columns: Schema, schema: JSONNode?) {
    for field in columns.fields where field.type == .date { forms[field.name] = .days }
    for field in DebeziumValues.fields(of: "after", in: schema) ?? DebeziumValues.fields(of: "before", in: schema) ?? []
    {
      guard let name = field["field"]?.text, columns.index(of: name) != nil else { continue }
      if let form = DebeziumValues.form(field) { forms[name] = form }
    }
  }

  private static func fields(of part: String, in schema: JSONNode?) -> [JSONNode]? {
    schema?["fields"]?.elements?.first { $0["field"]?.text == part }?["fields"]?.elements
  }

  private static func form(_ field: JSONNode) -> Form? {
    switch field["name"]?.text {
    case "io.debezium.time.Date", "org.apache.kafka.connect.data.Date": .days
    case "io.debezium.time.MicroTimestamp": .micros
    case "io.debezium.time.NanoTimestamp": .nanos
    case "io.debezium.data.VariableScaleDecimal": .variableDecimal
    case "org.apache.kafka.connect.data.Decimal":
      (field["parameters"]?["scale"]?.text).flatMap { Int($0) }.map { .decimal(scale: $0) }
    default: nil
    }
  }

  /// A value's text as our JSON writes it; nil to take it as it is.
  static func converted(_ text: UnsafeBufferPointer<UInt8>, _ form: Form) throws(Refusal) -> String? {
    let number = Int64(String(decoding: text, as: UTF8.self))
    switch form {
    case .days:
      guard let number else { return nil }
      guard AvroRowReader.dates.contains(number) else {
        throw Refusal(reason: "day \(number) is not between the years 1 and 9999")
      }
      return "\"\(CivilTime.formatDate(number))\""
    case .micros: return try milliseconds(number, .timestampMicros, "µs")
    case .nanos: return try milliseconds(number, .timestampNanos, "ns")
    case .decimal(let scale):
      guard text.first == UInt8(ascii: "\"") else { return nil }
      return try decimal(String(decoding: text.dropFirst().dropLast(), as: UTF8.self), scale: scale)
    case .variableDecimal:
      guard text.first == UInt8(ascii: "{"), let node = try? JSONNode.parse(String(decoding: text, as: UTF8.self)),
        let scale = node["scale"]?.integer, let value = node["value"]?.text
      else { return nil }
      return try decimal(value, scale: scale)
    }
  }

  private static func milliseconds(
    _ number: Int64?, _ unit: AvroLogicalType, _ name: String
  ) throws(Refusal) -> String? {
    guard let number else { return nil }
    guard let milliseconds = AvroRowReader.milliseconds(number, unit, isSeconds: false) else {
      throw Refusal(
        reason: "\(number) \(name) is no timestamp of whole milliseconds between the years 1 and 9999")
    }
    return "\(milliseconds)"
  }

  private static func decimal(_ text: String, scale: Int) throws(Refusal) -> String {
    guard let bytes = Base64.decode(text), let unscaled = bytes.withUnsafeBufferPointer(AvroDecimal.unscaled),
      Decimal.fits(unscaled, precision: DataType.maxDecimalPrecision), scale <= DataType.maxDecimalPrecision
    else {
      throw Refusal(reason: "\(text.prefix(48)) is no decimal of at most 38 digits")
    }
    if scale < 0 { return "\(unscaled)e\(-scale)" }
    return Decimal.format(unscaled, scale: scale)
  }
}
