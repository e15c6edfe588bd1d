import StreamModel

/// A checked part of an expression: what computes it, and what is known about its values.
struct Typed {
  enum Form {
    case value
    /// A bare `null`, which takes the type of its surroundings.
    case null
    case interval(Interval)
    case unit(TimeUnit)
    /// Faulty; whatever is made of it is faulty too, and says nothing more.
    case invalid
  }

  let form: Form
  let type: DataType
  let nullable: Bool
  let kernel: any Kernel
  /// The value, a column of one row, where it is known at checking.
  let constant: Column?
  /// Whether it is written in the expression as a whole number, so that Flink SQL would give it a type of its size.
  let isIntegerLiteral: Bool
  let range: TextRange

  /// A value of `type`.
  init(_ kernel: any Kernel, _ type: DataType, nullable: Bool, _ range: TextRange) {
    form = .value
    self.kernel = kernel
    self.type = type
    self.nullable = nullable
    constant = nil
    isIntegerLiteral = false
    self.range = range
  }

  /// A constant: a column of one row.
  init(constant: Column, _ range: TextRange) {
    form = .value
    kernel = ConstantKernel(column: constant)
    type = constant.type
    nullable = !constant.isValid(0)
    self.constant = constant
    isIntegerLiteral = false
    self.range = range
  }

  /// Something that is no value by itself.
  init(_ form: Form, _ range: TextRange) {
    let null = Column.constant(.null, .boolean, count: 1)
    self.form = form
    kernel = ConstantKernel(column: null)
    type = .boolean
    nullable = true
    constant = nil
    isIntegerLiteral = false
    self.range = range
  }

  /// The same, as the meaning of another part of the text.
  init(_ other: Typed, at range: TextRange) {
    form = other.form
    type = other.type
    nullable = other.nullable
    kernel = other.kernel
    constant = other.constant
    isIntegerLiteral = other.isIntegerLiteral
    self.range = range
  }

  /// The same, as a whole number that is written in the expression.
  init(integerLiteral other: Typed) {
    form = other.form
    type = other.type
    nullable = other.nullable
    kernel = other.kernel
    constant = other.constant
    isIntegerLiteral = true
    range = other.range
  }

  static func invalid(_ range: TextRange) -> Typed { Typed(.invalid, range) }

  /// The type it has in arithmetic with decimals: as in Flink SQL a written whole number is `decimal(10,0)` where it has 32
  /// bits, any other int64 `decimal(19,0)`.
  var exactType: ExactType? {
    if isIntegerLiteral, case .int64(let value) = constantValue, Int32(exactly: value) != nil {
      return ExactType(10, 0)
    }
    return ExactType(type)
  }

  var isInvalid: Bool { if case .invalid = form { true } else { false } }
  var isNull: Bool { if case .null = form { true } else { false } }
  var isValue: Bool { if case .value = form { true } else { false } }

  /// The constant's value, where it is known and not null.
  var constantValue: Value? { constant.flatMap { $0.isValid(0) ? $0.value(at: 0) : nil } }
}
