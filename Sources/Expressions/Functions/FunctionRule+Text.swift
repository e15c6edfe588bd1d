import StreamModel

extension FunctionRule {
  /// Functions of texts.
  static let text: [String: FunctionRule] = [
    "lower": of("lower(text)", [.string], .string) { TextFunctions.changeCase($0, isUpper: false) },
    "upper": of("upper(text)", [.string], .string) { TextFunctions.changeCase($0, isUpper: true) },
    "trim": of("trim([[leading | trailing | both] [characters] from] text)", [.string, .string], required: 1, .string) {
      TextFunctions.trim($0, atStart: true, atEnd: true)
    },
    "btrim": of("btrim(text[, characters])", [.string, .string], required: 1, .string) {
      TextFunctions.trim($0, atStart: true, atEnd: true)
    },
    "ltrim": of("ltrim(text[, characters])", [.string, .string], required: 1, .string) {
      TextFunctions.trim($0, atStart: true, atEnd: false)
    },
    "rtrim": of("rtrim(text[, characters])", [.string, .string], required: 1, .string) {
      TextFunctions.trim($0, atStart: false, atEnd: true)
    },
    "substring": of("substring(text from start [for length])", [.string, .int64, .int64], required: 2, .string) {
      TextFunctions.substring($0)
    },
    "substr": of("substr(text, start[, length])", [.string, .int64, .int64], required: 2, .string) {
      TextFunctions.substring($0)
    },
    "left": of("left(text, length)", [.string, .int64], .string) { TextFunctions.left($0) },
    "right": of("right(text, length)", [.string, .int64], .string) { TextFunctions.right($0) },
    "length": of("length(text)", [.string], .int64) { TextFunctions.length($0) },
    "char_length": of("char_length(text)", [.string], .int64) { TextFunctions.length($0) },
    "character_length": of("character_length(text)", [.string], .int64) { TextFunctions.length($0) },
    "sha256": of("sha256(text)", [.string], .string) { invocation in
      let text = invocation.operands[0]
      return invocation.write { row, writer in
        guard let room = writer.reserve(SHA256.hexDigits)?.assumingMemoryBound(to: UInt8.self) else { return () }
        SHA256.write(digestOf: text.bytes(row), to: room)
        writer.advance(SHA256.hexDigits)
        return ()
      }
    },
    "octet_length": of("octet_length(text)", [.string], .int64) { invocation in
      let text = invocation.operands[0]
      return invocation.map(Int64.self) { Int64(text.bytes($0).count) }
    },
    "position": of("position(wanted in text)", [.string, .string], .int64) { TextFunctions.position($0) },
    "replace": of("replace(text, wanted, replacement)", [.string, .string, .string], .string) {
      TextFunctions.replace($0)
    },
    "starts_with": of("starts_with(text, prefix)", [.string, .string], .boolean) { invocation in
      let (text, prefix) = (invocation.operands[0], invocation.operands[1])
      return invocation.mapBoolean { Texts.hasPrefix(text.bytes($0), prefix.bytes($0)) }
    },
    "ends_with": of("ends_with(text, suffix)", [.string, .string], .boolean) { invocation in
      let (text, suffix) = (invocation.operands[0], invocation.operands[1])
      return invocation.mapBoolean { Texts.hasSuffix(text.bytes($0), suffix.bytes($0)) }
    },
    "lpad": of("lpad(text, length[, fill])", [.string, .int64, .string], required: 2, .string) {
      TextFunctions.pad($0, atStart: true)
    },
    "rpad": of("rpad(text, length[, fill])", [.string, .int64, .string], required: 2, .string) {
      TextFunctions.pad($0, atStart: false)
    },
    "concat": FunctionRule("concat(text, text, …)", 1...Int.max) { checker, _, arguments, range in
      checker.joinedText(arguments, range)
    },
    "regexp_like": FunctionRule("regexp_like(text, pattern)", 2...2) { checker, call, arguments, range in
      guard let texts = checker.take(arguments, call, as: [.string, .string]) else { return .invalid(range) }
      guard case .string(let pattern) = texts[1].constantValue else {
        return checker.function(texts, .boolean, range) { RegularExpression.match($0) }
      }
      do throws(RegularExpression.Fault) {
        let compiled = try RegularExpression(pattern)
        return checker.function([texts[0]], .boolean, range) { compiled.match($0) }
      } catch {
        return checker.fault(arguments[1].range, "'\(pattern)' is no regular expression: \(error.message)", error.mend)
      }
    },
  ]

  /// A function whose arguments have fixed types, the last ones optional from `required` on.
  static func of(
    _ usage: String, _ types: [DataType], required: Int? = nil, _ result: DataType,
    _ apply: @escaping @Sendable (Invocation) -> Operand
  ) -> FunctionRule {
    FunctionRule(usage, (required ?? types.count)...types.count) { checker, call, arguments, range in
      guard let values = checker.take(arguments, call, as: types) else { return .invalid(range) }
      return checker.function(values, result, range, apply)
    }
  }
}
