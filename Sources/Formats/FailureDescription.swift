import CSimdJSON
import StreamModel

/// Puts what a native decoder found wrong into words: the field, its value (shortened), and the mend where there is one.
struct FailureDescription {
  let schema: Schema
  let chunk: RecordChunk
  let maxRecordBytes: Int
  /// Why a CSV header does not fit the schema.
  var headerProblem: String?

  /// The most bytes of a value that a reason quotes.
  private static let maxValueBytes = 48

  func failure(_ native: weir_failure) -> DecodeFailure {
    DecodeFailure(start: Int(native.start), length: Int(native.length), reason: reason(native))
  }

  /// The failure of a whole chunk that is a piece of a record.
  var fragment: DecodeFailure {
    DecodeFailure(
      start: 0, length: chunk.count, reason: "this is a piece of a record of more than \(maxRecordBytes) bytes")
  }

  private func reason(_ native: weir_failure) -> String {
    let problem = problem(native)
    guard native.field >= 0 else { return problem }
    return "\(schema[Int(native.field)].name): \(problem)"
  }

  private func problem(_ native: weir_failure) -> String {
    recordProblem(native) ?? syntaxProblem(native) ?? valueProblem(native)
  }

  private func recordProblem(_ native: weir_failure) -> String? {
    switch Int(native.reason) {
    case Int(WEIR_RECORD_TOO_LONG): "the record has \(native.length) bytes, the most is \(maxRecordBytes)"
    case Int(WEIR_INVALID_UTF8): "the record is not UTF-8"
    case Int(WEIR_CONTROL_CHARACTER): "a string holds a raw control character, which JSON writes as \\u00XX"
    case Int(WEIR_UNCLOSED_STRING): "a string is not closed"
    case Int(WEIR_UNREADABLE): "the record is not JSON"
    case Int(WEIR_TOO_FEW_CELLS): "the row has too few cells"
    case Int(WEIR_TOO_MANY_CELLS): "the row has too many cells"
    case Int(WEIR_AFTER_QUOTE): "text follows the closing quote of a cell: \(value(native))"
    case Int(WEIR_UNCLOSED_QUOTE): "a quote is not closed"
    case Int(WEIR_BAD_HEADER): headerProblem ?? "the header does not fit the schema"
    default: nil
    }
  }

  private func syntaxProblem(_ native: weir_failure) -> String? {
    let value = value(native)
    switch Int(native.reason) {
    case Int(WEIR_NOT_AN_OBJECT): return "the line is no JSON object: \(value)"
    case Int(WEIR_INCOMPLETE): return "the object ends too early"
    case Int(WEIR_TRAILING_TEXT): return "text follows the object: \(value)"
    case Int(WEIR_EXPECTED_NAME): return "a field name in quotes is expected at \(value)"
    case Int(WEIR_EXPECTED_COLON): return "a colon is expected at \(value)"
    case Int(WEIR_EXPECTED_COMMA): return "a comma or a closing bracket is expected at \(value)"
    case Int(WEIR_EXPECTED_VALUE): return "a value is expected at \(value)"
    case Int(WEIR_BAD_ESCAPE): return "a string has an escape that JSON lacks: \(value)"
    case Int(WEIR_LONE_SURROGATE): return "a string has half a surrogate pair: \(value)"
    case Int(WEIR_TOO_DEEP): return "the record is nested more than \(JSONDecoder.maxDepth) deep"
    default: return nil
    }
  }

  private func valueProblem(_ native: weir_failure) -> String {
    let value = value(native)
    let type = native.field >= 0 ? "\(schema[Int(native.field)].type)" : "value"
    switch Int(native.reason) {
    case Int(WEIR_IS_NULL): return "null in a field that is not null"
    case Int(WEIR_IS_MISSING): return "missing, and the field is not null"
    case Int(WEIR_BAD_NUMBER): return "\(value) is no number"
    case Int(WEIR_HAS_FRACTION): return "\(value) has a fraction, which \(type) lacks"
    case Int(WEIR_OUT_OF_RANGE): return "\(value) does not fit \(type)"
    case Int(WEIR_LOSES_DIGITS): return "\(type) would lose digits of \(value)"
    case Int(WEIR_BAD_TIMESTAMP):
      return "\(value) is no timestamp: RFC 3339 with a zone and at most milliseconds, or whole epoch milliseconds"
    case Int(WEIR_BAD_DATE): return "\(value) is no date of the form YYYY-MM-DD"
    case Int(WEIR_BAD_BASE64): return "\(value) is not base64"
    default: return "\(value) is no \(type)"
    }
  }

  private func value(_ native: weir_failure) -> String {
    let start = Int(native.value_start)
    let length = Int(native.value_length)
    let shown = UnsafeBufferPointer(
      rebasing: chunk.bytes[start..<start + min(length, FailureDescription.maxValueBytes)])
    return String(decoding: shown, as: UTF8.self) + (length > shown.count ? "…" : "")
  }
}
