/// The parts of one change, as places in its text (Debezium's "change event", with or without Kafka Connect's `schema` and
/// `payload` around it). What is absent or null is nil.
struct DebeziumEnvelope {
  var before: Range<Int>?
  var after: Range<Int>?
  var operation: Range<Int>?
  var timestamp: Range<Int>?
  var source: Range<Int>?
  /// Kafka Connect's description of the envelope.
  var schema: Range<Int>?

  enum Read {
    case envelope(DebeziumEnvelope)
    /// A deletion's mark for the compaction of a topic: no change of its own.
    case tombstone
    case fault(String)
  }

  static func read(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Read {
    if isNull(bytes, range) { return .tombstone }
    var envelope = DebeziumEnvelope()
    var payload: Range<Int>?
    guard JSONSpan.members(bytes, range, { envelope.take(bytes, $0, $1, payload: &payload) }) else {
      return .fault("the record is no JSON object")
    }
    if let payload, envelope.operation == nil {
      if isNull(bytes, payload) { return .tombstone }
      let schema = envelope.schema
      envelope = DebeziumEnvelope()
      var inner: Range<Int>?
      guard JSONSpan.members(bytes, payload, { envelope.take(bytes, $0, $1, payload: &inner) }) else {
        return .fault("`payload` is no JSON object")
      }
      envelope.schema = schema
    }
    if envelope.operation == nil { return .fault("the record is no Debezium envelope: it has no `op`") }
    return .envelope(envelope)
  }

  private mutating func take(
    _ bytes: UnsafeBufferPointer<UInt8>, _ name: Range<Int>, _ value: Range<Int>, payload: inout Range<Int>?
  ) {
    let name = UnsafeBufferPointer(rebasing: bytes[name])
    if name.equals("payload") { payload = value }
    if DebeziumEnvelope.isNull(bytes, value) { return }
    if name.equals("before") { before = value }
    if name.equals("after") { after = value }
    if name.equals("op") { operation = value }
    if name.equals("ts_ms") { timestamp = value }
    if name.equals("source") { source = value }
    if name.equals("schema") { schema = value }
  }

  private static func isNull(_ bytes: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
    var range = range
    while let first = range.first, bytes[first] <= 0x20 { range = first + 1..<range.upperBound }
    while let last = range.last, bytes[last] <= 0x20 { range = range.lowerBound..<last }
    return range.isEmpty || UnsafeBufferPointer(rebasing: bytes[range]).equals("null")
  }
}

extension UnsafeBufferPointer<UInt8> {
  func equals(_ text: StaticString) -> Bool {
    count == text.utf8CodeUnitCount
      && elementsEqual(UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
  }
}
