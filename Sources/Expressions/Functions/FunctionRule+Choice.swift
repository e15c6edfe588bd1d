import StreamModel

extension FunctionRule {
  /// Functions that give one of their arguments.
  static let choice: [String: FunctionRule] = [
    "coalesce": FunctionRule("coalesce(x, y, …)", 1...Int.max) { checker, _, arguments, range in
      guard let (parts, type) = checker.unified(arguments, range, "the arguments of coalesce") else {
        return .invalid(range)
      }
      let kernel = CoalesceKernel(arguments: parts.map(\.kernel), type: type)
      return checker.make(kernel, type, nullable: parts.allSatisfy(\.nullable), from: parts, range)
    },
    "nullif": FunctionRule("nullif(x, y)", 2...2) { checker, _, arguments, range in
      guard !arguments[0].isNull else { return arguments[0] }
      guard let parts = checker.comparable(arguments, range) else { return .invalid(range) }
      let (left, right, comparison) = checker.prepared(.equal, parts[0], parts[1])
      let kernel = NullIfKernel(
        left: arguments[0].kernel, comparable: left.kernel, right: right.kernel, comparison: comparison)
      return checker.make(kernel, arguments[0].type, nullable: true, from: arguments, range)
    },
    "greatest": extreme("greatest", .greater),
    "least": extreme("least", .less),
  ]

  private static func extreme(_ name: String, _ operation: ComparisonOperator) -> FunctionRule {
    FunctionRule("\(name)(x, y, …)", 1...Int.max) { checker, _, arguments, range in
      guard let (parts, type) = checker.unified(arguments, range, "the arguments of \(name)") else {
        return .invalid(range)
      }
      let column = Typed(parts[0].kernel, type, nullable: true, range)
      let comparison = checker.prepared(operation, column, column).comparison
      let kernel = ExtremeKernel(arguments: parts.map(\.kernel), comparison: comparison)
      return checker.make(kernel, type, nullable: parts.contains(where: \.nullable), from: parts, range)
    }
  }
}
