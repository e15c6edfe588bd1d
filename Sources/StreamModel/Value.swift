/// One value, for edges, literals and tests; columns are for loops.
package enum Value: Hashable, Sendable {
  case null
  case boolean(Bool)
  case int64(Int64)
  case double(Double)
  /// `unscaled × 10^-scale`.
  case decimal(Int128, scale: Int)
  case string(String)
  case bytes([UInt8])
  /// Days since 1970-01-01.
  case date(Int64)
  /// Milliseconds since 1970-01-01T00:00:00Z.
  case timestamp(Int64)
}
