import StreamModel

/// The columns of one batch that rating reads.
struct RateInputs {
  let times: UnsafePointer<Int64>
  private let stamps: UnsafePointer<Int64>?
  private let account: Column
  private let quantity: Column
  private let quantities: UnsafePointer<Int64>
  private let international: Flag
  private let roaming: Flag
  private let joined: Column?

  private enum Flag {
    case constant(Bool)
    case column(Column)

    /// Null is no.
    @inline(__always) func value(_ row: Int) -> Bool {
      switch self {
      case .constant(let value): value
      case .column(let column): column.booleans[row] != 0 && column.isValid(row)
      }
    }
  }

  init(_ batch: RecordBatch, _ spec: RateSpec) {
    func flag(_ setting: RateSpec.Setting<Bool>) -> Flag {
      switch setting {
      case .constant(let value): .constant(value)
      case .column(let column): .column(batch.columns[column])
      }
    }
    times = batch.eventTimes.int64s
    stamps = batch.stamps?.int64s
    account = batch.columns[spec.account]
    quantity = batch.columns[spec.quantity]
    quantities = quantity.int64s
    international = flag(spec.international)
    roaming = flag(spec.roaming)
    joined = spec.joined.map { batch.columns[$0] }
  }

  @inline(__always) func isInternational(_ row: Int) -> Bool { international.value(row) }
  @inline(__always) func isRoaming(_ row: Int) -> Bool { roaming.value(row) }
  @inline(__always) func hasAccount(_ row: Int) -> Bool { account.isValid(row) }
  @inline(__always) func quantity(_ row: Int) -> Int64? { quantity.isValid(row) ? quantities[row] : nil }

  /// The watermark that the row is behind; nil where it is not.
  @inline(__always) func stamp(_ row: Int) -> EventTime? {
    guard let stamp = stamps?[row], times[row] <= stamp else { return nil }
    return stamp
  }

  /// The day on which the row's account became a customer, if that is known.
  @inline(__always) func joinedDay(_ row: Int) -> Int64? {
    guard let joined, joined.isValid(row) else { return nil }
    return joined.int64s[row]
  }
}
