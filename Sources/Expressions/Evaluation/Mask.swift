import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// The rows whose branch is taken: a byte a row, 0 or 1.
struct Mask {
  private let memory: Memory
  let count: Int

  var bytes: UnsafeMutablePointer<UInt8> { memory.base.assumingMemoryBound(to: UInt8.self) }

  /// Room for `count` rows, not yet written.
  init(uninitialized count: Int) {
    memory = Memory(capacityBytes: count)
    self.count = count
  }

  /// The rows of `mask`, or all of them.
  init(copying mask: Mask?, count: Int) {
    self.init(uninitialized: count)
    if let mask { memcpy(bytes, mask.bytes, count) } else { memset(bytes, 1, count) }
  }

  @inline(__always) subscript(_ row: Int) -> Bool { bytes[row] != 0 }

  var isEmpty: Bool { memchr(bytes, 1, count) == nil }
}

/// Which rows of a result have a value: bits, least significant first; nil while all have.
struct Validity {
  private(set) var memory: Memory?
  let count: Int

  init(count: Int) { self.count = count }

  /// The rows in which all of `operands` have a value.
  init(_ first: Operand, _ others: Operand..., count: Int) { self.init([first] + others, count: count) }

  init(_ operands: [Operand], count: Int) {
    self.count = count
    for operand in operands {
      if operand.isConstant {
        if !operand.column.isValid(0) { clearAll() }
      } else if let bits = operand.column.validity {
        intersect(bits)
      }
    }
  }

  /// The rows of `bytes` that are not zero.
  init(bytes: UnsafePointer<UInt8>, count: Int) {
    self.count = count
    guard memchr(bytes, 0, count) != nil else { return }
    let bits = allocate()
    for cell in 0..<count / 8 {
      let eight = UnsafeRawPointer(bytes + cell * 8).loadUnaligned(as: UInt64.self)
      bits[cell] = UInt8(truncatingIfNeeded: (eight &* 0x0102_0408_1020_4080) >> 56)
    }
    for row in (count & ~7)..<count where bytes[row] != 0 { bits[row >> 3] |= 1 << UInt8(row & 7) }
  }

  private var sizeBytes: Int { (count + 7) / 8 }

  private mutating func allocate() -> UnsafeMutablePointer<UInt8> {
    let bits = Memory(capacityBytes: sizeBytes)
    memset(bits.base, 0, sizeBytes)
    memory = bits
    return bits.base.assumingMemoryBound(to: UInt8.self)
  }

  private mutating func clearAll() { _ = allocate() }

  private mutating func intersect(_ other: UnsafePointer<UInt8>) {
    guard let memory else {
      memcpy(allocate(), other, sizeBytes)
      return
    }
    let bits = memory.base.assumingMemoryBound(to: UInt8.self)
    for cell in 0..<sizeBytes { bits[cell] &= other[cell] }
  }

  @inline(__always) func isValid(_ row: Int) -> Bool {
    guard let memory else { return true }
    return memory.base.assumingMemoryBound(to: UInt8.self)[row >> 3] & (1 << UInt8(row & 7)) != 0
  }

  /// Makes row `row` null.
  mutating func clear(_ row: Int) {
    if memory == nil { memset(allocate(), 0xFF, sizeBytes) }
    memory?.base.assumingMemoryBound(to: UInt8.self)[row >> 3] &= ~(1 << UInt8(row & 7))
  }

  /// Writes a byte a row, 1 where the row has a value.
  func unpack(into bytes: UnsafeMutablePointer<UInt8>) {
    guard let memory else {
      memset(bytes, 1, count)
      return
    }
    let bits = memory.base.assumingMemoryBound(to: UInt8.self)
    for row in 0..<count { bytes[row] = bits[row >> 3] >> UInt8(row & 7) & 1 }
  }
}

/// Fixed-width values of a result while they are written.
struct Output<Element> {
  private let memory: Memory
  let cells: UnsafeMutablePointer<Element>

  init(count: Int) {
    memory = Memory(capacityBytes: count * MemoryLayout<Element>.stride)
    cells = memory.base.assumingMemoryBound(to: Element.self)
  }

  /// A column of views into `bytes`, which `owner` keeps alive.
  func finish(
    _ type: DataType, _ validity: Validity, bytes: UnsafePointer<UInt8>, owner: AnyObject
  ) -> Operand {
    Operand(
      Column(
        type: type, count: validity.count, values: memory, validity: validity.memory, bytes: bytes, bytesOwner: owner))
  }

  func finish(_ type: DataType, _ validity: Validity) -> Operand {
    Operand(Column(type: type, count: validity.count, values: memory, validity: validity.memory))
  }
}
