import StreamModel

/// One application of a function to a batch: its arguments, and ways to write its result.
///
/// The loops leave out rows that the mask leaves out and rows in which an argument is null; there the result is null.
struct Invocation {
  let operands: [Operand]
  let type: DataType
  let frame: Frame
  let mask: Mask?

  var count: Int { frame.count }

  /// Reports that row `row` has no value. Gives nil, which is what the row's body then gives.
  func failure<Element>(_ row: Int, _ reason: String) -> Element? {
    frame.fail(row, reason)
    return nil
  }

  /// A fixed-width result: `body` gives a row's value, nil for null.
  @inline(__always) func map<Element: ExpressibleByIntegerLiteral>(_: Element.Type, _ body: (Int) -> Element?)
    -> Operand
  {
    var validity = Validity(operands, count: count)
    let output = Output<Element>(count: count)
    for row in 0..<count {
      guard validity.isValid(row), mask?[row] ?? true, let value = body(row) else {
        validity.clear(row)
        output.cells[row] = 0
        continue
      }
      output.cells[row] = value
    }
    return output.finish(type, validity)
  }

  @inline(__always) func mapBoolean(_ body: (Int) -> Bool?) -> Operand {
    map(UInt8.self) { row in body(row).map { $0 ? 1 : 0 } }
  }

  /// A result whose texts are parts of the first argument's: `body` gives the range of row `row`'s bytes.
  @inline(__always) func slice(_ body: (Int, UnsafeBufferPointer<UInt8>) -> Range<Int>?) -> Operand {
    let text = operands[0]
    var validity = Validity(operands, count: count)
    let views = Memory(capacityBytes: count * 8)
    let cells = views.base.assumingMemoryBound(to: UInt64.self)
    for row in 0..<count {
      guard validity.isValid(row), mask?[row] ?? true, let range = body(row, text.bytes(row)) else {
        validity.clear(row)
        cells[row] = 0
        continue
      }
      let start = Int(text.column.views[text.index(row)] >> 32)
      cells[row] = packView(start: start + range.lowerBound, length: range.count)
    }
    return Operand(
      Column(
        type: type, count: count, values: views, validity: validity.memory, bytes: text.column.bytes,
        bytesOwner: text.column))
  }

  /// A result of new texts: `body` appends a row's to the writer, and gives nil for null.
  @inline(__always) func write(_ body: (Int, inout TextWriter) -> Void?) -> Operand {
    var validity = Validity(operands, count: count)
    let views = Memory(capacityBytes: count * 8)
    let cells = views.base.assumingMemoryBound(to: UInt64.self)
    var writer = TextWriter()
    for row in 0..<count {
      writer.begin()
      let isActive = validity.isValid(row) && mask?[row] ?? true
      if isActive, body(row, &writer) != nil, !writer.isTooLong {
        cells[row] = writer.view
        continue
      }
      if isActive, writer.isTooLong { frame.fail(row, "a text would be longer than \(TextWriter.limitBytes) bytes") }
      writer.undo()
      validity.clear(row)
      cells[row] = 0
    }
    let area = writer.memory
    return Operand(
      Column(
        type: type, count: count, values: views, validity: validity.memory,
        bytes: UnsafePointer(area.base.assumingMemoryBound(to: UInt8.self)), bytesOwner: area))
  }
}

/// Texts of a result, one behind the other.
struct TextWriter {
  /// The longest text a function makes.
  static let limitBytes = 1 << 24
  /// What a column's texts may take altogether: views have 32 bits.
  static let areaLimitBytes = Int(UInt32.max) - limitBytes

  private(set) var memory = Memory(capacityBytes: 1 << 12)
  private var start = 0
  private var end = 0
  private(set) var isTooLong = false

  mutating func begin() {
    start = end
    isTooLong = false
  }

  mutating func undo() { end = start }

  var view: UInt64 { packView(start: start, length: end - start) }

  mutating func append(_ bytes: UnsafeBufferPointer<UInt8>) {
    guard let base = bytes.baseAddress, let room = reserve(bytes.count) else { return }
    room.copyMemory(from: base, byteCount: bytes.count)
    end += bytes.count
  }

  mutating func append(_ text: String) {
    var text = text
    text.withUTF8 { append($0) }
  }

  /// Room for `count` more bytes, to be followed by `advance`; nil when the text would be too long.
  mutating func reserve(_ count: Int) -> UnsafeMutableRawPointer? {
    guard end - start + count <= TextWriter.limitBytes, end + count <= TextWriter.areaLimitBytes else {
      isTooLong = true
      return nil
    }
    if end + count > memory.capacityBytes {
      let larger = Memory(capacityBytes: max(memory.capacityBytes * 2, end + count))
      larger.base.copyMemory(from: memory.base, byteCount: end)
      memory = larger
    }
    return memory.base + end
  }

  mutating func advance(_ count: Int) { end += count }
}

/// A function: evaluates its arguments and hands them over.
struct FunctionKernel: Kernel {
  let arguments: [any Kernel]
  let type: DataType
  let apply: @Sendable (Invocation) -> Operand

  func evaluate(_ frame: Frame, _ mask: Mask?) -> Operand {
    let operands = arguments.map { $0.evaluate(frame, mask) }
    return apply(Invocation(operands: operands, type: type, frame: frame, mask: mask))
  }
}
