import StreamModel

extension Checker {
  // MARK: Case

  mutating func choice(
    _ subject: SyntaxNode?, _ branches: [(when: SyntaxNode, then: SyntaxNode)], _ otherwise: SyntaxNode?,
    _ range: TextRange
  ) -> Typed {
    let value = subject.map { check($0) }
    let conditions = branches.map { value == nil ? condition($0.when, "a condition of `case`") : check($0.when) }
    let results = branches.map { check($0.then) } + [otherwise.map { check($0) } ?? Typed(.null, range)]
    guard let (unifiedResults, type) = unified(results, range, "the results of `case`") else { return .invalid(range) }
    guard let (conditionKernels, subjectKernel) = conditionKernels(value, conditions, range) else {
      return .invalid(range)
    }
    let kernel = ChoiceKernel(
      subject: subjectKernel, branches: Array(zip(conditionKernels, unifiedResults.dropLast().map(\.kernel))),
      otherwise: unifiedResults[unifiedResults.count - 1].kernel, type: type)
    let nullable = unifiedResults.contains(where: \.nullable)
    return make(kernel, type, nullable: nullable, from: (value.map { [$0] } ?? []) + conditions + unifiedResults, range)
  }

  private mutating func conditionKernels(_ subject: Typed?, _ conditions: [Typed], _ range: TextRange)
    -> (conditions: [ChoiceKernel.Condition], subject: (any Kernel)?)?
  {
    guard let subject else {
      return conditions.contains(where: \.isInvalid) ? nil : (conditions.map { .boolean($0.kernel) }, nil)
    }
    guard let parts = comparable([subject] + conditions, range) else { return nil }
    let items = parts.dropFirst().map { prepared(.equal, parts[0], $0, keepsLeft: true) }
    return (items.map { .equal($0.right.kernel, $0.comparison) }, parts[0].kernel)
  }

  // MARK: Cast

  /// Names under which SQL knows the types of the topology language.
  private static let typeNames: [String: DataType] = [
    "boolean": .boolean, "int64": .int64, "bigint": .int64, "integer": .int64, "int": .int64, "double": .double,
    "string": .string, "varchar": .string, "text": .string, "bytes": .bytes, "date": .date, "timestamp": .timestamp,
  ]

  private mutating func type(_ name: SyntaxNode.TypeName) -> DataType? {
    if name.name == "decimal" || name.name == "numeric" {
      let precision = name.parameters.first ?? 10
      let scale = name.parameters.count > 1 ? name.parameters[1] : 0
      if (1...DataType.maxDecimalPrecision).contains(precision), scale <= precision, name.parameters.count <= 2 {
        return .decimal(precision: precision, scale: scale)
      }
      _ = fault(name.range, "no type `\(snippet(name.range))`", "write decimal(p,s) with 1 ≤ p ≤ 38 and s ≤ p")
      return nil
    }
    if let type = Checker.typeNames[name.name], name.parameters.isEmpty { return type }
    if Checker.typeNames[name.name] != nil {
      _ = fault(name.range, "`\(name.name)` takes no parameters", "write \(name.name) alone")
      return nil
    }
    let names = ["boolean", "int64", "double", "decimal", "string", "bytes", "date", "timestamp"]
    let mend = Suggestion.mend(for: name.name, among: names) ?? "types are \(names.joined(separator: ", "))"
    _ = fault(name.range, "no type `\(snippet(name.range))`", mend)
    return nil
  }

  mutating func cast(_ operand: Typed, _ name: SyntaxNode.TypeName, _ givesNull: Bool, _ range: TextRange) -> Typed {
    guard let type = type(name), !operand.isInvalid else { return .invalid(range) }
    if operand.isNull, let null = coerced(operand, to: type) { return null }
    guard operand.isValue else { return notAValue(operand) }
    guard Checker.canCast(operand.type, type) else {
      let mend =
        type == .timestamp && operand.type == .int64
        ? "write timestamp_add(millisecond, \(snippet(operand.range)), timestamp '1970-01-01T00:00:00Z')"
        : operand.type.isTime && type == .int64
          ? "write extract(epoch from \(snippet(operand.range)))" : "cast it to string first"
      return fault(range, "\(operand.type) cannot be cast to \(type)", mend)
    }
    let result = converted(operand, to: type, givesNull: givesNull, at: range)
    if operand.constant != nil, result.constant == nil {
      return fault(
        range, "`\(snippet(operand.range))` is no \(type)", "write a value that fits, or use try_cast for null")
    }
    return result
  }

  static func canCast(_ from: DataType, _ to: DataType) -> Bool {
    if from == to { return true }
    switch (from, to) {
    case (.string, _), (_, .string): return true
    case (.boolean, _): return to.isNumeric
    case (.int64, .boolean): return true
    case (.date, .timestamp), (.timestamp, .date): return true
    default: return from.isNumeric && to.isNumeric
    }
  }

  // MARK: Like and time zones

  mutating func like(_ operand: Typed, _ pattern: Typed, _ escape: Typed?, _ negated: Bool, _ range: TextRange) -> Typed
  {
    var texts: [Typed] = []
    for part in [operand, pattern] + (escape.map { [$0] } ?? []) {
      guard let text = coerced(part, to: .string) else {
        let type = part.isValue ? "\(part.type)" : "an interval"
        return fault(
          part.range, "`like` compares texts, and `\(snippet(part.range))` is \(type)",
          "write cast(\(snippet(part.range)) as string)")
      }
      texts.append(text)
    }
    if texts.contains(where: \.isInvalid) { return .invalid(range) }
    if let result = constantLike(texts, range) { return negated ? negation(of: result, range) : result }
    let result = function(texts, .boolean, range) { LikePattern.match($0) }
    return negated ? negation(of: result, range) : result
  }

  /// `like` with a pattern known now; nil where it is not.
  private mutating func constantLike(_ texts: [Typed], _ range: TextRange) -> Typed? {
    guard case .string(let pattern) = texts[1].constantValue else { return nil }
    var escape: String?
    if texts.count > 2 {
      guard case .string(let value) = texts[2].constantValue else { return nil }
      escape = value
    }
    do {
      let compiled = try LikePattern(pattern, escape: escape)
      return function([texts[0]], .boolean, range) { compiled.match($0) }
    } catch {
      return fault(texts[error == .escapeIsNoCharacter ? 2 : 1].range, error.message, error.mend)
    }
  }

  mutating func atTimeZone(_ time: Typed, _ zone: Typed, _ range: TextRange) -> Typed {
    guard let time = coerced(time, to: .timestamp) else {
      return fault(
        time.range, "`at time zone` takes a timestamp, and `\(snippet(time.range))` is \(time.type)",
        "cast it to timestamp")
    }
    guard let zone = self.zone(zone), !time.isInvalid else { return .invalid(range) }
    return function([time, zone], .timestamp, range) { TimeArithmetic.atTimeZone($0) }
  }

  /// A time zone's name as an argument; a constant one must exist. Nil after a fault.
  mutating func zone(_ typed: Typed) -> Typed? {
    guard let zone = coerced(typed, to: .string) else {
      _ = fault(
        typed.range, "a time zone is a text, and `\(snippet(typed.range))` is \(typed.type)", "write 'Europe/Dublin'")
      return nil
    }
    if case .string(let name) = zone.constantValue, ZoneRules.named(name) == nil {
      _ = fault(
        typed.range, "no time zone '\(name)'",
        "write a name of the IANA database such as 'Europe/Dublin', or an offset such as '+01:00'")
      return nil
    }
    return zone.isInvalid ? nil : zone
  }
}
