import StreamModel

extension FunctionRule {
  /// Functions of times.
  static let time: [String: FunctionRule] = [
    "date_trunc": FunctionRule("date_trunc(unit, timestamp)", 2...2) { checker, call, arguments, range in
      guard let unit = checker.unit(arguments[0], call, where: \.isLength), let time = checker.time(arguments[1], call)
      else {
        return .invalid(range)
      }
      let cellsAreDays = time.type == .date
      return checker.function([time], time.type, range) { invocation in
        let cells = invocation.operands[0].cells(Int64.self)
        if !cellsAreDays { return invocation.map(Int64.self) { TimeArithmetic.truncate(cells[$0], unit) } }
        return invocation.map(Int64.self) {
          CivilTime.split(TimeArithmetic.truncate(cells[$0] * CivilTime.millisecondsPerDay, unit)).day
        }
      }
    },
    "extract": FunctionRule("extract(unit from timestamp)", 2...2) { checker, call, arguments, range in
      guard let unit = checker.unit(arguments[0], call, where: { _ in true }),
        let time = checker.time(arguments[1], call)
      else {
        return .invalid(range)
      }
      let scale = time.type == .date ? CivilTime.millisecondsPerDay : 1
      return checker.function([time], .int64, range) { invocation in
        let cells = invocation.operands[0].cells(Int64.self)
        return invocation.map(Int64.self) { TimeArithmetic.field(unit, of: cells[$0] * scale) }
      }
    },
    "timestamp_add": addition,
    "timestampadd": addition,
    "timestamp_diff": difference,
    "timestampdiff": difference,
    "parse_timestamp": parsing("parse_timestamp", givesNull: false),
    "try_parse_timestamp": parsing("try_parse_timestamp", givesNull: true),
  ]

  private static let addition = FunctionRule("timestamp_add(unit, count, timestamp)", 3...3) {
    checker, call, arguments, range in
    guard let unit = checker.unit(arguments[0], call, where: \.isLength),
      let count = checker.take([arguments[1]], call, as: [.int64]), let time = checker.time(arguments[2], call)
    else { return .invalid(range) }
    if time.type == .date, let length = unit.milliseconds, length < CivilTime.millisecondsPerDay {
      return checker.fault(
        arguments[2].range, "a date has no time of day to add to",
        "write cast(\(checker.snippet(arguments[2].range)) as timestamp)")
    }
    return checker.function([count[0], time], time.type, range) { TimeArithmetic.add($0, unit) }
  }

  private static let difference = FunctionRule("timestamp_diff(unit, from, to)", 3...3) {
    checker, call, arguments, range in
    guard let unit = checker.unit(arguments[0], call, where: \.isLength),
      let times = checker.take(Array(arguments[1...]), call, as: [.timestamp, .timestamp])
    else { return .invalid(range) }
    return checker.function(times, .int64, range) { invocation in
      let (from, to) = (invocation.operands[0].cells(Int64.self), invocation.operands[1].cells(Int64.self))
      return invocation.map(Int64.self) { TimeArithmetic.difference(unit, from[$0], to[$0]) }
    }
  }

  private static func parsing(_ name: String, givesNull: Bool) -> FunctionRule {
    FunctionRule("\(name)(text, format[, zone])", 2...3) { checker, call, arguments, range in
      guard let texts = checker.take(Array(arguments[0..<2]), call, as: [.string, .string]) else {
        return .invalid(range)
      }
      guard case .string(let format) = texts[1].constantValue else {
        return checker.fault(
          arguments[1].range, "the format must be a literal", "write it in quotes: '%Y-%m-%d %H:%M:%S'")
      }
      var values = [texts[0]]
      if arguments.count > 2 {
        guard let zone = checker.zone(arguments[2]) else { return .invalid(range) }
        values.append(zone)
      }
      do throws(TimestampFormat.Fault) {
        let format = try TimestampFormat(format)
        return checker.function(values, .timestamp, nullable: givesNull, range) {
          format.parse($0, givesNull: givesNull)
        }
      } catch {
        return checker.fault(arguments[1].range, error.message, error.mend)
      }
    }
  }
}

extension Checker {
  /// An argument that must be a timestamp or a date; nil after a fault.
  mutating func time(_ argument: Typed, _ call: SyntaxNode.Call) -> Typed? {
    if argument.isValue, argument.type.isTime { return argument }
    return take([argument], call, as: [.timestamp])?.first
  }
}
