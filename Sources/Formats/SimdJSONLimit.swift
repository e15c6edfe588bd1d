import CSimdJSON

/// The limit that decoding is measured against: simdjson On-Demand walking usage records, and nothing else.
package enum SimdJSONLimit {
  /// Reads every line of `bytes` (64 more must be readable behind them) and returns how many there are; nil when the text is
  /// no sequence of usage records or the processor lacks what the walk is compiled for.
  package static func walk(_ bytes: UnsafeBufferPointer<UInt8>) -> (rows: Int, checksum: UInt64)? {
    guard let start = bytes.baseAddress else { return (0, 0) }
    var checksum: UInt64 = 0
    let rows = weir_simdjson_walk(start, bytes.count, &checksum)
    return rows < 0 ? nil : (Int(rows), checksum)
  }
}
