import State
import StreamModel

/// Groups in the order of their state keys: by the hash of the key, then by the key.
enum HashOrder {
  /// Slots of `table`, each in the low half of a number whose high half is what its key's hash contributes.
  static func sorted(_ table: GroupTable, _ slots: [Int32]) -> [UInt64] {
    var numbers = slots.map { slot in
      UInt64(StateKey.order(ofHash: KeyEncoder.hash(table.key(slot)))) << 32 | UInt64(UInt32(bitPattern: slot))
    }
    sort(&numbers)
    breakTies(&numbers) { table.key(Int32(truncatingIfNeeded: $0)) }
    return numbers
  }

  @inline(__always) static func slot(_ number: UInt64) -> Int32 { Int32(truncatingIfNeeded: number) }
  @inline(__always) static func order(_ number: UInt64) -> UInt32 { UInt32(truncatingIfNeeded: number >> 32) }

  /// Sorts by the upper 32 bits: least digits first, eleven bits at a time; few by comparison.
  static func sort(_ numbers: inout [UInt64]) {
    guard numbers.count > 2048 else { return numbers.sort() }
    var other = [UInt64](repeating: 0, count: numbers.count)
    for shift in [UInt64(32), 43, 54] {
      var starts = [Int](repeating: 0, count: 2049)
      for number in numbers { starts[Int(number >> shift & 2047) + 1] += 1 }
      for digit in 0..<2048 { starts[digit + 1] += starts[digit] }
      starts.withUnsafeMutableBufferPointer { starts in
        other.withUnsafeMutableBufferPointer { other in
          for number in numbers {
            let digit = Int(number >> shift & 2047)
            other[starts[digit]] = number
            starts[digit] &+= 1
          }
        }
      }
      swap(&numbers, &other)
    }
  }

  /// Puts numbers with the same upper half in the order of their keys, which `key` gives by the lower half.
  static func breakTies(_ numbers: inout [UInt64], key: (UInt64) -> UnsafeRawBufferPointer) {
    breakTies(&numbers) { key($0).lexicographicallyPrecedes(key($1)) }
  }

  /// Puts numbers with the same upper half in an order of their lower halves.
  static func breakTies(_ numbers: inout [UInt64], isBefore: (UInt64, UInt64) -> Bool) {
    var start = 0
    while start < numbers.count {
      var end = start + 1
      while end < numbers.count, order(numbers[end]) == order(numbers[start]) { end += 1 }
      if end - start > 1 {
        numbers[start..<end].sort { isBefore($0 & 0xFFFF_FFFF, $1 & 0xFFFF_FFFF) }
      }
      start = end
    }
  }
}
