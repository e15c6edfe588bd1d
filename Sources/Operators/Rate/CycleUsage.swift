import State

/// What an account has used of one service in one cycle, at the quantity's scale.
struct CycleUsage: CycleValue {
  /// Free units of the cycle, used in it.
  var freeUsed: Int64 = 0
  /// Units of the cycle before, used in this one.
  var rolledIn: Int64 = 0
  var billable: Int64 = 0
  /// Free units that the cycle has, by the tariff that was applied last; below zero where none was, and nothing is known.
  var allowance: Int64 = -1

  static let none = CycleUsage()

  var isPresent: Bool { allowance >= 0 }
  var heldBytes: Int { 0 }

  func encode(to writer: inout StateWriter) {
    writer.write(freeUsed)
    writer.write(rolledIn)
    writer.write(billable)
    writer.write(allowance)
  }

  static func decode(_ reader: inout StateReader) throws(StateError) -> CycleUsage {
    let usage = CycleUsage(
      freeUsed: try reader.readInt64(), rolledIn: try reader.readInt64(), billable: try reader.readInt64(),
      allowance: try reader.readInt64())
    guard usage.isPresent, usage.freeUsed >= 0, usage.rolledIn >= 0, usage.billable >= 0 else {
      throw .malformed("usage of a cycle that is below zero")
    }
    return usage
  }
}
