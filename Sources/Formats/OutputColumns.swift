import CSimdJSON
import StreamModel

/// The columns of a batch as the native encoders take them, each with the text that goes before its values.
struct OutputColumns {
  private let prefixes: [[UInt8]]
  private let text: [UInt8]

  /// Rows between two looks at the room left.
  private static let rowsAtOnce = 512

  init(prefixes: [[UInt8]]) {
    self.prefixes = prefixes
    text = prefixes.flatMap { $0 }
  }

  /// Writes all rows of `batch` by `encode`, in runs of rows for which `bound` says what room they need.
  func write(
    _ batch: RecordBatch, into buffer: inout ByteBuffer,
    bound: (UnsafePointer<weir_output>, Int, Int, Int) -> Int,
    encode: (UnsafePointer<weir_output>, Int, Int, Int, UnsafeMutablePointer<UInt8>) -> Int
  ) {
    text.withUnsafeBufferPointer { text in
      let outputs = outputs(batch, text.baseAddress)
      outputs.withUnsafeBufferPointer { outputs in
        let columns = outputs.baseAddress.unsafelyUnwrapped
        for from in stride(from: 0, to: batch.count, by: OutputColumns.rowsAtOnce) {
          let to = min(batch.count, from + OutputColumns.rowsAtOnce)
          let target = buffer.reserve(bound(columns, batch.columns.count, from, to))
          buffer.advance(encode(columns, batch.columns.count, from, to, target))
        }
      }
    }
  }

  private func outputs(_ batch: RecordBatch, _ text: UnsafePointer<UInt8>?) -> [weir_output] {
    var start = 0
    var outputs: [weir_output] = []
    for (index, column) in batch.columns.enumerated() {
      outputs.append(
        weir_output(
          values: column.values, validity: column.validity, bytes: column.bytes, prefix: text.map { $0 + start },
          prefix_length: prefixes[index].count, kind: UInt8(column.type.nativeKind), scale: column.type.decimalScale))
      start += prefixes[index].count
    }
    // One more, so that there is an address even without columns.
    let none = UnsafeRawPointer(bitPattern: 16).unsafelyUnwrapped
    outputs.append(
      weir_output(values: none, validity: nil, bytes: nil, prefix: nil, prefix_length: 0, kind: 0, scale: 0))
    return outputs
  }
}

extension DataType {
  fileprivate var decimalScale: UInt8 {
    if case .decimal(_, let scale) = self { UInt8(scale) } else { 0 }
  }
}
