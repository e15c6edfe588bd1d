import StreamModel

/// Resolves a writer's schema against the columns that are wanted, and where there is one against a reader's schema, as the
/// specification's "Schema Resolution" says; the outcome is an `AvroProgram`.
///
/// A column takes the field of its name. Without a reader's schema that is the writer's field, whose type must be one that
/// the column's type holds without loss. With one it is the reader's: the writer's field is found by the reader's name or
/// aliases, must resolve to the reader's type, and where the writer lacks it the reader's default stands in.
struct AvroCompiler {
  let writer: AvroSchema
  let reader: AvroSchema?
  let columns: Schema
  let epochSecondColumns: Set<Int>

  var instructions: [AvroInstruction] = []
  var branches: [Int32] = []
  var text: [UInt8] = []
  var symbols: [(start: Int, length: Int)] = []
  var constants: [AvroConstant] = []
  var messages: [String] = []
  /// Subroutines that skip a value, by type; −1 while only asked for.
  private var skippers: [Skipper: Int] = [:]
  private var pending: [Skipper] = []
  private var calls: [(instruction: Int, skipper: Skipper)] = []

  private struct Skipper: Hashable {
    let type: AvroType
    let isMap: Bool
  }

  init(writer: AvroSchema, reader: AvroSchema?, columns: Schema, epochSecondColumns: Set<Int>) {
    self.writer = writer
    self.reader = reader
    self.columns = columns
    self.epochSecondColumns = epochSecondColumns
  }

  /// Throws where no record of this writer could ever give a row.
  static func compile(
    writer: AvroSchema, reader: AvroSchema?, columns: Schema, epochSecondColumns: Set<Int>
  ) throws(FormatError) -> AvroProgram {
    var compiler = AvroCompiler(
      writer: writer, reader: reader, columns: columns, epochSecondColumns: epochSecondColumns)
    try compiler.row()
    compiler.subroutines()
    return AvroProgram(
      instructions: compiler.instructions, branches: compiler.branches, text: compiler.text, symbols: compiler.symbols,
      constants: compiler.constants, messages: compiler.messages)
  }

  private mutating func row() throws(FormatError) {
    guard let (name, fields) = writer.rootRecord else {
      throw FormatError("its schema is a \(writer.describe(writer.root)), and rows are made of records")
    }
    let readerFields = try readerFields(writerName: name)
    var found: Set<Int> = []
    for field in fields {
      let readerField = readerFields?.first { $0.name == field.name || $0.aliases.contains(field.name) }
      let isWanted = readerFields == nil || readerField != nil
      guard isWanted, let column = columns.index(of: readerField?.name ?? field.name), found.insert(column).inserted
      else {
        skip(field.type)
        continue
      }
      value(field.type, readerField?.type, column)
    }
    for column in 0..<columns.count where !found.contains(column) { missing(column, readerFields) }
    emit(.end)
  }

  /// The fields of the reader's schema, if there is one and it is a record of the writer's name.
  private func readerFields(writerName: String) throws(FormatError) -> [AvroField]? {
    guard let reader else { return nil }
    guard let (name, fields) = reader.rootRecord else {
      throw FormatError("the reader's schema is a \(reader.describe(reader.root)), not a record")
    }
    guard AvroCompiler.isSameName(writerName, reader.named(name)) else {
      throw FormatError("its schema is a record \(writerName), the reader's a record \(name) without that alias")
    }
    return fields
  }

  static func isSameName(_ writer: String, _ reader: AvroNamedType) -> Bool {
    reader.simpleName == AvroNamedType.simple(writer) || reader.aliases.contains(writer)
  }

  private mutating func missing(_ column: Int, _ readerFields: [AvroField]?) {
    let field = columns[column]
    if let readerField = readerFields?.first(where: { $0.name == field.name }), let reader {
      guard let text = readerField.defaultValue else {
        return fail("missing in the writer's schema, and the reader's schema has no default", column)
      }
      return defaultValue(text, readerField.type, reader, column)
    }
    if field.nullable { constant(.null, column) } else { fail("missing, and the field is not null", column) }
  }

  // MARK: - Emitting

  mutating func emit(_ code: AvroInstruction.Code, _ column: Int = -1, operand: Int = 0, extra: Int = 0) {
    instructions.append(AvroInstruction(code: code, column: Int32(column), operand: operand, extra: extra))
  }

  mutating func fail(_ message: String, _ column: Int) {
    emit(.fail, column, operand: messages.count)
    messages.append("\(columns[column].name): \(message)")
  }

  mutating func constant(_ constant: AvroConstant, _ column: Int) {
    emit(.constant, column, operand: constants.count)
    constants.append(constant)
  }

  mutating func append(text added: some Sequence<UInt8>) -> (start: Int, length: Int) {
    let start = text.count
    text.append(contentsOf: added)
    return (start, text.count - start)
  }

  /// The code of a union: `emitBranch` emits each branch's.
  mutating func union(_ types: [AvroType], _ emitBranch: (inout AvroCompiler, AvroType) -> Void) {
    let first = branches.count
    emit(.branch, operand: first, extra: types.count)
    branches.append(contentsOf: types.map { _ in 0 })
    var jumps: [Int] = []
    for (index, type) in types.enumerated() {
      branches[first + index] = Int32(instructions.count)
      emitBranch(&self, type)
      jumps.append(instructions.count)
      emit(.jump)
    }
    for jump in jumps { instructions[jump].operand = instructions.count }
  }

  // MARK: - Skipping

  mutating func skip(_ type: AvroType) {
    switch type {
    case .primitive(let primitive, _): skip(primitive)
    case .array(let items): block(Skipper(type: items, isMap: false))
    case .map(let values): block(Skipper(type: values, isMap: true))
    case .union(let types): union(types) { $0.skip($1) }
    case .named(let name):
      switch writer.named(name).kind {
      case .enumeration: emit(.skipVarint)
      case .fixed(let size, _): emit(.skipFixed, operand: size)
      case .record: call(.enter, Skipper(type: type, isMap: false))
      }
    }
  }

  private mutating func skip(_ primitive: AvroPrimitive) {
    switch primitive {
    case .null: break
    case .boolean: emit(.skipFixed, operand: 1)
    case .int, .long: emit(.skipVarint)
    case .float: emit(.skipFixed, operand: 4)
    case .double: emit(.skipFixed, operand: 8)
    case .bytes, .string: emit(.skipText)
    }
  }

  private mutating func block(_ skipper: Skipper) { call(.skipBlocks, skipper) }

  private mutating func call(_ code: AvroInstruction.Code, _ skipper: Skipper) {
    calls.append((instructions.count, skipper))
    emit(code)
    if skippers.updateValue(skippers[skipper] ?? -1, forKey: skipper) == nil { pending.append(skipper) }
  }

  /// Appends the subroutines that are called, and sets their calls.
  private mutating func subroutines() {
    while let skipper = pending.popLast() {
      skippers[skipper] = instructions.count
      if skipper.isMap { emit(.skipText) }
      if case .named(let name) = skipper.type, case .record(let fields) = writer.named(name).kind {
        for field in fields { skip(field.type) }
      } else {
        skip(skipper.type)
      }
      emit(.leave)
    }
    for call in calls { instructions[call.instruction].operand = skippers[call.skipper] ?? 0 }
  }
}
