import StreamModel

/// What to do with the bytes of one record: the outcome of resolving its writer's schema against the columns wanted.
///
/// A flat list of instructions, each of which reads or skips one value; `AvroCompiler` makes it, `AvroRowReader` runs it.
/// The row's own code begins at instruction 0 and ends with `end`; behind it lie subroutines for what is skipped and may
/// be nested, each ending with `leave`.
final class AvroProgram: Sendable {
  let instructions: [AvroInstruction]
  /// Where the branches of unions begin: `branch` points at its first.
  let branches: [Int32]
  /// Text of symbols and defaults, which columns point into.
  let text: [UInt8]
  /// Of symbols in `text`: start and length. A negative start: the symbol cannot be read, `messages[-start - 1]`.
  let symbols: [(start: Int, length: Int)]
  let constants: [AvroConstant]
  /// Why values cannot be read.
  let messages: [String]

  init(
    instructions: [AvroInstruction], branches: [Int32], text: [UInt8], symbols: [(start: Int, length: Int)],
    constants: [AvroConstant], messages: [String]
  ) {
    self.instructions = instructions
    self.branches = branches
    self.text = text
    self.symbols = symbols
    self.constants = constants
    self.messages = messages
  }
}

/// A column's value where the writer has no such field.
enum AvroConstant: Sendable {
  case null
  case boolean(Bool)
  case int64(Int64)
  case double(Double)
  case unscaled(Int128)
  case text(start: Int, length: Int)
}

struct AvroInstruction: Sendable {
  let code: Code
  var column: Int32 = -1
  var operand = 0
  var extra = 0

  enum Code: UInt8, Sendable {
    /// The row is whole.
    case end
    /// The record cannot become a row: `messages[operand]`. Reading goes on, to find its end.
    case fail
    case jump
    /// A branch's number follows; there are `extra`, whose code begins at `branches[operand…]`.
    case branch
    case enter
    case leave
    /// Blocks of items, each skipped by the subroutine at `operand`.
    case skipBlocks
    case skipVarint
    case skipText
    /// `operand` bytes.
    case skipFixed

    case null
    case boolean
    /// A whole number into int64.
    case int64
    /// An Avro int, which has 32 bits.
    case int32
    case longAsDouble
    /// By way of a float, as a reader's schema asks.
    case longAsFloat
    /// A whole number into a decimal of scale `operand`.
    case longAsDecimal
    case date
    case timestampMillis
    case timestampMicros
    case timestampNanos
    case timestampSeconds
    case float
    case double
    case string
    case bytes
    /// `operand` bytes.
    case fixed
    /// A scaled number of scale `extra`, in as many bytes as precede it.
    case decimalBytes
    /// The same in `operand` bytes.
    case decimalFixed
    /// A symbol's number; its text is `symbols[operand + number]`, and there are `extra`.
    case symbol
    /// Nothing is read: `constants[operand]`.
    case constant
  }
}
