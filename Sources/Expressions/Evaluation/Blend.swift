import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// A result put together from several operands, row by row; null where none was taken.
struct Blend {
  private let type: DataType
  private let count: Int
  private var sources: [Operand] = []
  /// Per row the operand it comes from, counted from 1.
  private let choices: Output<Int32>

  init(type: DataType, count: Int) {
    self.type = type
    self.count = count
    choices = Output(count: count)
    memset(choices.cells, 0, count * MemoryLayout<Int32>.stride)
  }

  var isUntouched: Bool { sources.isEmpty }

  /// Takes `source`'s value on the rows of `mask`.
  mutating func take(_ source: Operand, on mask: Mask) {
    sources.append(source)
    let number = Int32(truncatingIfNeeded: sources.count)
    let (cells, bytes) = (choices.cells, mask.bytes)
    for row in 0..<count { cells[row] = bytes[row] != 0 ? number : cells[row] }
  }

  func finish() -> Operand {
    let known = self.known
    switch type.layout {
    case .bool8: return finish(UInt8.self, known)
    case .float64: return finish(Double.self, known)
    case .int128: return finish(Int128.self, known)
    case .int64: return finish(Int64.self, known)
    case .view: return finishText(known)
    }
  }

  /// The rows that were taken from an operand with a value there: a byte a row.
  private var known: Mask {
    let known = Mask(uninitialized: count)
    let (cells, bytes) = (choices.cells, known.bytes)
    for row in 0..<count { bytes[row] = cells[row] == 0 ? 0 : 1 }
    for (position, source) in sources.enumerated() {
      let validity = Validity(source, count: count)
      guard validity.memory != nil else { continue }
      let number = Int32(truncatingIfNeeded: position + 1)
      let valid = Mask(uninitialized: count)
      validity.unpack(into: valid.bytes)
      let own = valid.bytes
      for row in 0..<count { bytes[row] &= cells[row] == number ? own[row] : 1 }
    }
    return known
  }

  private func finish<Element: ExpressibleByIntegerLiteral>(_: Element.Type, _ known: Mask) -> Operand {
    let output = Output<Element>(count: count)
    memset(output.cells, 0, count * MemoryLayout<Element>.stride)
    let (choices, result) = (choices.cells, output.cells)
    for (position, source) in sources.enumerated() {
      let number = Int32(truncatingIfNeeded: position + 1)
      let cells = source.cells(Element.self)
      if source.isConstant {
        let constant = cells[0]
        for row in 0..<count { result[row] = choices[row] == number ? constant : result[row] }
      } else {
        for row in 0..<count { result[row] = choices[row] == number ? cells.base[row] : result[row] }
      }
    }
    return output.finish(type, Validity(bytes: known.bytes, count: count))
  }

  // MARK: Texts

  /// Copies the texts that are taken into one area; a constant's once.
  private func finishText(_ known: Mask) -> Operand {
    let views = Output<UInt64>(count: count)
    memset(views.cells, 0, count * MemoryLayout<UInt64>.stride)
    let area = Memory(capacityBytes: areaBytes(known))
    let text = area.base.assumingMemoryBound(to: UInt8.self)
    var end = 0
    for (position, source) in sources.enumerated() {
      end = copy(source, number: Int32(truncatingIfNeeded: position + 1), known, views.cells, text, end)
    }
    let validity = Validity(bytes: known.bytes, count: count)
    return views.finish(type, validity, bytes: text, owner: area)
  }

  private func areaBytes(_ known: Mask) -> Int {
    var total = 0
    for (position, source) in sources.enumerated() {
      let views = source.cells(UInt64.self)
      let number = Int32(truncatingIfNeeded: position + 1)
      if source.isConstant {
        total += Int(views[0] & 0xFFFF_FFFF)
        continue
      }
      let (choices, bytes) = (choices.cells, known.bytes)
      for row in 0..<count where choices[row] == number && bytes[row] != 0 { total += Int(views[row] & 0xFFFF_FFFF) }
    }
    precondition(total <= Int(UInt32.max), "a column holds at most 4 GiB of text")
    return total
  }

  private func copy(
    _ source: Operand, number: Int32, _ known: Mask, _ views: UnsafeMutablePointer<UInt64>,
    _ text: UnsafeMutablePointer<UInt8>, _ start: Int
  ) -> Int {
    var end = start
    let (choices, bytes, from) = (choices.cells, known.bytes, source.cells(UInt64.self))
    guard let area = source.column.bytes else { return end }
    func append(_ view: UInt64) -> UInt64 {
      let length = Int(view & 0xFFFF_FFFF)
      memcpy(text + end, area + Int(view >> 32), length)
      defer { end += length }
      return packView(start: end, length: length)
    }
    if source.isConstant {
      let view = append(from[0])
      for row in 0..<count where choices[row] == number && bytes[row] != 0 { views[row] = view }
    } else {
      for row in 0..<count where choices[row] == number && bytes[row] != 0 { views[row] = append(from[row]) }
    }
    return end
  }
}
