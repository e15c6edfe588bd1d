import CSimdJSON
import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// Runs a native decoder over chunks and makes columns of what it leaves: the common half of the JSON and the CSV decoder.
///
/// Text columns are views into the chunk itself. Only where some text had to be unescaped does a column get bytes of its
/// own: a copy of the chunk's, and behind it the unescaped text.
final class ColumnDecoder {
  let plan: DecodePlan
  let native: OpaquePointer
  private let maxRecordBytes: Int
  /// What a record of this stream takes, learned from the last chunk.
  private var bytesPerRow = 128

  /// The most bytes of a chunk that views can address together with its unescaped text.
  private static let maxChunkBytes = Int(Int32.max)

  init(plan: DecodePlan, maxRecordBytes: Int, create: (UnsafePointer<weir_field>, Int) -> OpaquePointer) {
    self.plan = plan
    self.maxRecordBytes = maxRecordBytes
    native = plan.withFields(create)
  }

  deinit { weir_decoder_destroy(native) }

  func decode(_ chunk: RecordChunk, headerProblem: String? = nil) -> DecodedChunk {
    if chunk.isFragment || chunk.count > ColumnDecoder.maxChunkBytes { return allFailed(chunk) }
    let start = chunk.storage.base.assumingMemoryBound(to: UInt8.self)
    weir_decoder_begin(native, start, chunk.count, ColumnDecoder.markLength(chunk))
    var targets = RowTargets(plan, capacity: chunk.count / bytesPerRow + chunk.count / bytesPerRow / 8 + 16)
    while !targets.withColumns({ weir_decoder_run(native, $0, $1, $2) }) {
      targets.grow(plan, rows: weir_decoder_row_count(native))
    }
    let rows = weir_decoder_row_count(native)
    if rows > 0 { bytesPerRow = max(1, chunk.count / rows) }
    let areas = DecodedText(native, chunk)
    let columns = plan.materialize.indices.map { column($0, targets, rows, areas) }
    let ranges = Column(type: .int64, count: rows, values: targets.ranges)
    return DecodedChunk(
      rows: DecodedRows(columns: columns, count: rows, ranges: ranges), failures: failures(chunk, headerProblem))
  }

  /// A byte-order mark counts only at the very start of a partition.
  private static func markLength(_ chunk: RecordChunk) -> Int {
    chunk.offset == 0 && chunk.messageIndex == nil && chunk.bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
  }

  private func column(_ position: Int, _ targets: RowTargets, _ rows: Int, _ text: DecodedText) -> Column {
    let field = plan.materialize[position]
    let type = plan.schema[field].type
    let hasNulls = weir_decoder_null_count(native, field) > 0
    let area = type.layout == .view ? text.area(of: type, field: field) : nil
    return Column(
      type: type, count: rows, values: targets.values[position], validity: hasNulls ? targets.validity[position] : nil,
      bytes: area.map { UnsafePointer($0.base.assumingMemoryBound(to: UInt8.self)) }, bytesOwner: area)
  }

  private func failures(_ chunk: RecordChunk, _ headerProblem: String?) -> [DecodeFailure] {
    var failures: UnsafePointer<weir_failure>?
    let count = weir_decoder_failures(native, &failures)
    let describe = FailureDescription(
      schema: plan.schema, chunk: chunk, maxRecordBytes: maxRecordBytes, headerProblem: headerProblem)
    return UnsafeBufferPointer(start: failures, count: count).map(describe.failure)
  }

  private func allFailed(_ chunk: RecordChunk) -> DecodedChunk {
    let describe = FailureDescription(schema: plan.schema, chunk: chunk, maxRecordBytes: maxRecordBytes)
    let none = RowTargets(plan, capacity: 1)
    let columns = plan.materialize.map { ColumnBuilder(plan.schema[$0].type).finish() }
    return DecodedChunk(
      rows: DecodedRows(columns: columns, count: 0, ranges: Column(type: .int64, count: 0, values: none.ranges)),
      failures: [describe.fragment])
  }
}

/// Memory for the rows of one chunk.
private struct RowTargets {
  private(set) var values: [Memory]
  private(set) var validity: [Memory]
  private(set) var ranges: Memory
  private(set) var capacity: Int

  init(_ plan: DecodePlan, capacity: Int) {
    self.capacity = capacity
    values = plan.materialize.map { Memory(capacityBytes: capacity * plan.schema[$0].type.layout.strideBytes) }
    validity = plan.materialize.map { _ in
      let bitmap = Memory(capacityBytes: (capacity + 8) / 8)
      memset(bitmap.base, 0xFF, (capacity + 8) / 8)
      return bitmap
    }
    ranges = Memory(capacityBytes: capacity * 8)
  }

  /// Doubles the capacity, keeping `rows` rows.
  mutating func grow(_ plan: DecodePlan, rows: Int) {
    let larger = RowTargets(plan, capacity: capacity * 2)
    for (position, field) in plan.materialize.enumerated() {
      memcpy(larger.values[position].base, values[position].base, rows * plan.schema[field].type.layout.strideBytes)
      memcpy(larger.validity[position].base, validity[position].base, (rows + 7) / 8)
    }
    memcpy(larger.ranges.base, ranges.base, rows * 8)
    self = larger
  }

  func withColumns(_ body: (UnsafePointer<weir_column>, UnsafeMutablePointer<UInt64>, Int) -> Bool) -> Bool {
    var columns = zip(values, validity).map {
      weir_column(values: $0.base, validity: $1.base.assumingMemoryBound(to: UInt8.self))
    }
    columns.append(weir_column())  // so that there is an address even without columns
    return columns.withUnsafeBufferPointer {
      body($0.baseAddress.unsafelyUnwrapped, ranges.base.assumingMemoryBound(to: UInt64.self), capacity)
    }
  }
}

/// The byte areas that a chunk's view columns point into.
private struct DecodedText {
  private let native: OpaquePointer
  private let chunk: Memory
  private let withText: Memory
  private let decodedBytes: Memory

  init(_ native: OpaquePointer, _ chunk: RecordChunk) {
    self.native = native
    self.chunk = chunk.storage
    var text: UnsafePointer<UInt8>?
    let textCount = weir_decoder_text_area(native, &text)
    withText =
      textCount == 0 ? chunk.storage : DecodedText.copy(chunk.bytes, UnsafeBufferPointer(start: text, count: textCount))
    var bytes: UnsafePointer<UInt8>?
    let bytesCount = weir_decoder_bytes_area(native, &bytes)
    decodedBytes =
      bytesCount == 0
      ? chunk.storage
      : DecodedText.copy(
        UnsafeBufferPointer(start: bytes, count: bytesCount), UnsafeBufferPointer(start: nil, count: 0))
  }

  func area(of type: DataType, field: Int) -> Memory {
    if type == .bytes { return decodedBytes }
    return weir_decoder_uses_text_area(native, field) ? withText : chunk
  }

  private static func copy(_ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>) -> Memory {
    let memory = Memory(capacityBytes: first.count + second.count)
    if let start = first.baseAddress { memcpy(memory.base, start, first.count) }
    if let start = second.baseAddress { memcpy(memory.base + first.count, start, second.count) }
    return memory
  }
}
