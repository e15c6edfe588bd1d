import StreamModel

extension AvroCompiler {
  /// The code that reads a writer's value into a column; `expected` is the reader's type, if there is one.
  mutating func value(_ type: AvroType, _ expected: AvroType?, _ column: Int) {
    if case .union(let types) = type {
      return union(types) { $0.value($1, expected, column) }
    }
    guard let expected, let reader else { return resolved(type, nil, column) }
    var candidates = [expected]
    if case .union(let types) = expected { candidates = types }
    guard let match = candidates.first(where: { resolves(type, to: $0) }) else {
      fail("\(writer.describe(type)) does not resolve to the reader's \(reader.describe(expected))", column)
      return skip(type)
    }
    resolved(type, match, column)
  }

  /// Whether a writer's type, no union, resolves to a reader's, no union either.
  private func resolves(_ type: AvroType, to expected: AvroType) -> Bool {
    guard let reader else { return true }
    switch (type, expected) {
    case (.primitive(let written, _), .primitive(let read, _)):
      return written == read || AvroCompiler.promotions[written]?.contains(read) == true
    case (.array(let written), .array(let read)), (.map(let written), .map(let read)):
      return resolvesInside(written, to: read)
    case (.named(let written), .named(let read)):
      let (writtenType, readType) = (writer.named(written), reader.named(read))
      switch (writtenType.kind, readType.kind) {
      case (.fixed(let size, _), .fixed(let expectedSize, _)):
        return size == expectedSize && AvroCompiler.isSameName(written, readType)
      case (.enumeration, .enumeration), (.record, .record): return AvroCompiler.isSameName(written, readType)
      default: return false
      }
    default: return false
    }
  }

  private func resolvesInside(_ type: AvroType, to expected: AvroType) -> Bool {
    if case .union = type { return true }
    if case .union(let types) = expected { return types.contains { resolves(type, to: $0) } }
    return resolves(type, to: expected)
  }

  private static let promotions: [AvroPrimitive: Set<AvroPrimitive>] = [
    .int: [.long, .float, .double], .long: [.float, .double], .float: [.double], .string: [.bytes],
    .bytes: [.string],
  ]

  private mutating func resolved(_ type: AvroType, _ expected: AvroType?, _ column: Int) {
    switch type {
    case .primitive(let primitive, let logical): self.primitive(primitive, logical, expected, column)
    case .named(let name): named(writer.named(name), expected, column)
    case .array, .map, .union: unsupported(type, column)
    }
  }

  /// Fails the record; its bytes are read over, to find its end.
  private mutating func unsupported(_ type: AvroType, _ column: Int) {
    fail("\(writer.describe(type)) is no \(columns[column].type)", column)
    skip(type)
  }

  private mutating func primitive(
    _ primitive: AvroPrimitive, _ logical: AvroLogicalType?, _ expected: AvroType?, _ column: Int
  ) {
    // What the reader's schema says of the same type counts where the writer's says nothing.
    var (logical, read) = (logical, primitive)
    if case .primitive(let expectedPrimitive, let expectedLogical) = expected {
      if logical == nil, expectedPrimitive == primitive { logical = expectedLogical }
      read = expectedPrimitive
    }
    switch primitive {
    case .null:
      if columns[column].nullable { emit(.null, column) } else { fail("null in a field that is not null", column) }
    case .boolean where columns[column].type == .boolean: emit(.boolean, column)
    case .int, .long: number(primitive, logical, read, column)
    case .float where columns[column].type == .double: emit(.float, column)
    case .double where columns[column].type == .double: emit(.double, column)
    case .string, .bytes: text(primitive, logical, read, column)
    default: unsupported(.primitive(primitive, logical), column)
    }
  }

  private mutating func number(
    _ primitive: AvroPrimitive, _ logical: AvroLogicalType?, _ read: AvroPrimitive, _ column: Int
  ) {
    switch (columns[column].type, logical) {
    case (.int64, _) where read == .int || read == .long: emit(primitive == .int ? .int32 : .int64, column)
    case (.double, nil): emit(read == .float ? .longAsFloat : .longAsDouble, column)
    case (.decimal(_, let scale), nil) where read == .int || read == .long:
      emit(.longAsDecimal, column, operand: scale)
    case (.date, .date): emit(.date, column)
    case (.timestamp, .timestampMillis): emit(.timestampMillis, column)
    case (.timestamp, .timestampMicros): emit(.timestampMicros, column)
    case (.timestamp, .timestampNanos): emit(.timestampNanos, column)
    case (.timestamp, nil) where read == .int || read == .long:
      emit(epochSecondColumns.contains(column) ? .timestampSeconds : .timestampMillis, column)
    case (.timestamp, .localTimestamp):
      fail("\(primitive.rawValue) (local-timestamp) has no zone; declare the column as int64", column)
      emit(.skipVarint)
    default: unsupported(.primitive(primitive, logical), column)
    }
  }

  private mutating func text(
    _ primitive: AvroPrimitive, _ logical: AvroLogicalType?, _ read: AvroPrimitive, _ column: Int
  ) {
    switch (columns[column].type, logical) {
    case (.decimal, .decimal(_, let scale)): emit(.decimalBytes, column, extra: scale)
    // A reader's schema may turn text into bytes and back.
    case (.string, _) where read == .string: emit(.string, column)
    case (.bytes, _) where read == .bytes: emit(.bytes, column)
    default: unsupported(.primitive(primitive, logical), column)
    }
  }

  private mutating func named(_ type: AvroNamedType, _ expected: AvroType?, _ column: Int) {
    switch (type.kind, columns[column].type) {
    case (.fixed(let size, .decimal(_, let scale)), .decimal):
      emit(.decimalFixed, column, operand: size, extra: scale)
    case (.fixed(let size, _), .bytes): emit(.fixed, column, operand: size)
    case (.enumeration(let names, _), .string): enumeration(names, expected, column)
    default: unsupported(.named(type.name), column)
    }
  }

  private mutating func enumeration(_ names: [String], _ expected: AvroType?, _ column: Int) {
    var allowed: (symbols: Set<String>, substitute: String?)?
    if case .named(let name) = expected, let reader,
      case .enumeration(let symbols, let substitute) = reader.named(name).kind
    {
      allowed = (Set(symbols), substitute)
    }
    emit(.symbol, column, operand: symbols.count, extra: names.count)
    for name in names {
      if let allowed, !allowed.symbols.contains(name) {
        if let substitute = allowed.substitute {
          symbols.append(append(text: substitute.utf8))
        } else {
          messages.append("\(columns[column].name): the reader's schema lacks the symbol \(name) and has no default")
          symbols.append((-messages.count, 0))
        }
      } else {
        symbols.append(append(text: name.utf8))
      }
    }
  }
}
