import StreamModel

#if canImport(Glibc)
  import Glibc
#endif

/// Functions of texts, a column at a time. Positions and lengths are in characters (Unicode scalars).
enum TextFunctions {
  /// Joins the texts of each row: sizes first, so that every text is copied once and one part at a time.
  static func concatenate(_ invocation: Invocation) -> Operand {
    let (operands, count) = (invocation.operands, invocation.count)
    var validity = Validity(operands, count: count)
    let views = Output<UInt64>(count: count)
    var end = 0
    for row in 0..<count { views.cells[row] = 0 }
    for operand in operands {
      let cells = operand.cells(UInt64.self)
      for row in 0..<count { views.cells[row] &+= cells[row] & 0xFFFF_FFFF }
    }
    for row in 0..<count {
      let length = Int(views.cells[row])
      let isActive = validity.isValid(row) && invocation.mask?[row] ?? true
      let fits = length <= TextWriter.limitBytes && end + length <= TextWriter.areaLimitBytes
      if isActive, !fits { invocation.frame.fail(row, "a text would be longer than \(TextWriter.limitBytes) bytes") }
      if !isActive || !fits { validity.clear(row) }
      views.cells[row] = isActive && fits ? packView(start: end, length: 0) : 0
      if isActive && fits { end += length }
    }
    let area = Memory(capacityBytes: end)
    let text = area.base.assumingMemoryBound(to: UInt8.self)
    for operand in operands { append(operand, to: views.cells, text, validity) }
    return views.finish(invocation.type, validity, bytes: text, owner: area)
  }

  /// Appends a part to every row's text; `views` say where each has got to.
  private static func append(
    _ operand: Operand, to views: UnsafeMutablePointer<UInt64>, _ text: UnsafeMutablePointer<UInt8>,
    _ validity: Validity
  ) {
    let cells = operand.cells(UInt64.self)
    guard let bytes = operand.column.bytes else { return }
    for row in 0..<validity.count where validity.isValid(row) {
      let length = Int(cells[row] & 0xFFFF_FFFF)
      memcpy(text + Int(views[row] >> 32) + Int(views[row] & 0xFFFF_FFFF), bytes + Int(cells[row] >> 32), length)
      views[row] &+= UInt64(length)
    }
  }

  static func changeCase(_ invocation: Invocation, isUpper: Bool) -> Operand {
    let text = invocation.operands[0]
    return invocation.write { row, writer in
      let bytes = text.bytes(row)
      if bytes.allSatisfy({ $0 < 0x80 }) {
        guard let room = writer.reserve(bytes.count)?.assumingMemoryBound(to: UInt8.self) else { return () }
        let first = isUpper ? UInt8(ascii: "a") : UInt8(ascii: "A")
        for index in 0..<bytes.count { room[index] = bytes[index] &- first < 26 ? bytes[index] ^ 0x20 : bytes[index] }
        writer.advance(bytes.count)
      } else {
        let string = String(decoding: bytes, as: UTF8.self)
        writer.append(isUpper ? string.uppercased() : string.lowercased())
      }
      return ()
    }
  }

  /// Takes every character of the second argument (blanks by default) from the ends of the first.
  static func trim(_ invocation: Invocation, atStart: Bool, atEnd: Bool) -> Operand {
    let set = invocation.operands.count > 1 ? invocation.operands[1] : nil
    let blank: [UInt8] = [0x20]
    return blank.withUnsafeBufferPointer { blank in
      invocation.slice { row, text in
        let characters = set?.bytes(row) ?? blank
        var (start, end) = (0, text.count)
        while atStart, start < end {
          let next = Texts.offset(ofCharacter: 1, in: text, from: start)
          guard contains(characters, text[start..<next]) else { break }
          start = next
        }
        while atEnd, end > start {
          var previous = end - 1
          while previous > start, text[previous] & 0xC0 == 0x80 { previous -= 1 }
          guard contains(characters, text[previous..<end]) else { break }
          end = previous
        }
        return start..<end
      }
    }
  }

  @inline(__always) private static func contains(
    _ characters: UnsafeBufferPointer<UInt8>, _ character: Slice<UnsafeBufferPointer<UInt8>>
  ) -> Bool {
    if character.count == 1 { return characters.contains(character[character.startIndex]) }
    return Texts.find(UnsafeBufferPointer(rebasing: character), in: characters) != nil
  }

  /// `substring(text from start for length)`: the characters at positions start ..< start + length, where there are any; the
  /// first character is at 1, and positions below it count as well.
  static func substring(_ invocation: Invocation) -> Operand {
    let starts = invocation.operands[1].cells(Int64.self)
    let lengths = invocation.operands.count > 2 ? invocation.operands[2].cells(Int64.self) : nil
    return invocation.slice { row, text in
      let start = starts[row]
      var end = Int64.max
      if let lengths {
        guard lengths[row] >= 0 else { return invocation.failure(row, "a substring of length \(lengths[row])") }
        let (sum, overflow) = start.addingReportingOverflow(lengths[row])
        if !overflow { end = sum }
      }
      let first = max(start, 1)
      guard end > first else { return 0..<0 }
      let from = Texts.offset(ofCharacter: Int(first - 1), in: text)
      if end == .max { return from..<text.count }
      return from..<Texts.offset(ofCharacter: Int(end - first), in: text, from: from)
    }
  }

  static func left(_ invocation: Invocation) -> Operand {
    let lengths = invocation.operands[1].cells(Int64.self)
    return invocation.slice { row, text in 0..<Texts.offset(ofCharacter: Int(max(lengths[row], 0)), in: text) }
  }

  static func right(_ invocation: Invocation) -> Operand {
    let lengths = invocation.operands[1].cells(Int64.self)
    return invocation.slice { row, text in
      let skipped = max(0, Int64(Texts.length(text)) - max(lengths[row], 0))
      return Texts.offset(ofCharacter: Int(skipped), in: text)..<text.count
    }
  }

  static func length(_ invocation: Invocation) -> Operand {
    let text = invocation.operands[0]
    return invocation.map(Int64.self) { Int64(Texts.length(text.bytes($0))) }
  }

  /// The position at which the first argument begins in the second, from 1; 0 when it does not occur.
  static func position(_ invocation: Invocation) -> Operand {
    let (wanted, text) = (invocation.operands[0], invocation.operands[1])
    return invocation.map(Int64.self) { row in
      let bytes = text.bytes(row)
      guard let offset = Texts.find(wanted.bytes(row), in: bytes) else { return 0 }
      return Int64(Texts.length(UnsafeBufferPointer(rebasing: bytes[0..<offset])) + 1)
    }
  }

  static func replace(_ invocation: Invocation) -> Operand {
    let (texts, wanted, replacement) = (invocation.operands[0], invocation.operands[1], invocation.operands[2])
    return invocation.write { row, writer in
      let (text, wanted, replacement) = (texts.bytes(row), wanted.bytes(row), replacement.bytes(row))
      var start = 0
      while !wanted.isEmpty, let found = Texts.find(wanted, in: text, from: start) {
        writer.append(UnsafeBufferPointer(rebasing: text[start..<found]))
        writer.append(replacement)
        if writer.isTooLong { return () }
        start = found + wanted.count
      }
      writer.append(UnsafeBufferPointer(rebasing: text[start...]))
      return ()
    }
  }

  /// Brings a text to a length: by the fill, over and over, or by cutting its end.
  static func pad(_ invocation: Invocation, atStart: Bool) -> Operand {
    let text = invocation.operands[0]
    let lengths = invocation.operands[1].cells(Int64.self)
    let fills = invocation.operands.count > 2 ? invocation.operands[2] : nil
    return invocation.write { row, writer in
      let bytes = text.bytes(row)
      let missing = lengths[row] - Int64(Texts.length(bytes))
      guard lengths[row] >= 0, missing <= Int64(TextWriter.limitBytes) else {
        return invocation.failure(row, "a text cannot be padded to length \(lengths[row])")
      }
      if missing <= 0 {
        writer.append(UnsafeBufferPointer(rebasing: bytes[0..<Texts.offset(ofCharacter: Int(lengths[row]), in: bytes)]))
        return ()
      }
      if !atStart { writer.append(bytes) }
      guard fill(Int(missing), fills?.string(row) ?? " ", &writer) else { return nil }
      if atStart { writer.append(bytes) }
      return ()
    }
  }

  /// Writes `count` characters of `fill`; false where it has none.
  private static func fill(_ count: Int, _ fill: String, _ writer: inout TextWriter) -> Bool {
    var left = count
    if fill.isEmpty { return false }
    while left > 0, !writer.isTooLong {
      let part = String(String.UnicodeScalarView(fill.unicodeScalars.prefix(left)))
      writer.append(part)
      left -= part.unicodeScalars.count
    }
    return true
  }
}
