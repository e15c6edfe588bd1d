import StreamModel

/// The columns of one batch that rating reads, as pointers into them: for loops that count no references. Valid while `batch` lives,
/// which it keeps.
struct RateInputs {
  let batch: RecordBatch
  let times: UnsafePointer<Int64>
  private let stamps: UnsafePointer<Int64>?
  private let account: Nulls
  private let quantity: Nulls
  private let quantities: UnsafePointer<Int64>
  private let international: Flag
  private let roaming: Flag
  private let joined: UnsafePointer<Int64>?
  private let joinedNulls: Nulls

  /// Which rows of a column have a value.
  private struct Nulls {
    let validity: UnsafePointer<UInt8>?

    @inline(__always) func isValid(_ row: Int) -> Bool {
      guard let validity else { return true }
      return validity[row >> 3] & (1 << UInt8(row & 7)) != 0
    }
  }

  /// A boolean column, or one value for all rows. Null is no.
  private struct Flag {
    var cells: UnsafePointer<UInt8>?
    var nulls = Nulls(validity: nil)
    var constant = false

    init(_ setting: RateSpec.Setting<Bool>, _ batch: RecordBatch) {
      switch setting {
      case .constant(let value): constant = value
      case .column(let column):
        cells = batch.columns[column].booleans
        nulls = Nulls(validity: batch.columns[column].validity)
      }
    }

    @inline(__always) func value(_ row: Int) -> Bool {
      guard let cells else { return constant }
      return cells[row] != 0 && nulls.isValid(row)
    }
  }

  init(_ batch: RecordBatch, _ spec: RateSpec) {
    self.batch = batch
    times = batch.eventTimes.int64s
    stamps = batch.stamps?.int64s
    account = Nulls(validity: batch.columns[spec.account].validity)
    quantity = Nulls(validity: batch.columns[spec.quantity].validity)
    quantities = batch.columns[spec.quantity].int64s
    international = Flag(spec.international, batch)
    roaming = Flag(spec.roaming, batch)
    joined = spec.joined.map { batch.columns[$0].int64s }
    joinedNulls = Nulls(validity: spec.joined.flatMap { batch.columns[$0].validity })
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
    guard let joined, joinedNulls.isValid(row) else { return nil }
    return joined[row]
  }
}
