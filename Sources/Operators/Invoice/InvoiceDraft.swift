import State
import StreamModel

/// What an invoice has gathered of an open cycle: sums by service, and what the latest row said of the account.
struct InvoiceDraft: CycleValue {
  /// Sums of one service's rows.
  struct Sums: Equatable {
    var records: Int64 = 0
    var quantity: Int128 = 0
    var amount: Int128 = 0
    /// In the catalogue's currency; zero where it is not asked for.
    var charge: Int128 = 0
  }

  private(set) var services: [(name: String, sums: Sums)] = []
  /// The account's columns as `KeyEncoder` writes them, of the row with the latest event time; of several the greatest.
  private(set) var attributes: [UInt8] = []
  private var latest = EventTimes.minimum

  static let none = InvoiceDraft()

  var isPresent: Bool { !services.isEmpty }
  var heldBytes: Int { services.capacity * 64 + attributes.capacity }

  /// Adds a row; false, and nothing changed, where a sum would not fit.
  @inline(__always) mutating func add(_ service: String, quantity: Int128, amount: Int128, charge: Int128) -> Bool {
    let index = services.firstIndex { $0.name == service } ?? services.count
    var sums = index < services.count ? services[index].sums : Sums()
    sums.records += 1
    guard InvoiceDraft.add(quantity, to: &sums.quantity), InvoiceDraft.add(amount, to: &sums.amount),
      InvoiceDraft.add(charge, to: &sums.charge)
    else { return false }
    if index < services.count { services[index].sums = sums } else { services.append((service, sums)) }
    return true
  }

  private static func add(_ value: Int128, to sum: inout Int128) -> Bool {
    let (result, overflow) = sum.addingReportingOverflow(value)
    guard !overflow, Decimal.fits(result, precision: DataType.maxDecimalPrecision) else { return false }
    sum = result
    return true
  }

  /// Takes over what a row says of the account, if it is the latest.
  @inline(__always) mutating func describe(_ attributes: UnsafeRawBufferPointer, at time: EventTime) {
    if time < latest { return }
    let isSame = attributes.elementsEqual(self.attributes)
    if time == latest, !self.attributes.lexicographicallyPrecedes(attributes) { return }
    latest = time
    if !isSame { self.attributes = [UInt8](attributes) }
  }

  // MARK: State

  func encode(to writer: inout StateWriter) {
    writer.write(latest)
    writer.write(attributes)
    writer.write(count: services.count)
    for (name, sums) in services {
      writer.write([UInt8](name.utf8))
      writer.write(sums.records)
      writer.write(sums.quantity)
      writer.write(sums.amount)
      writer.write(sums.charge)
    }
  }

  static func decode(_ reader: inout StateReader) throws(StateError) -> InvoiceDraft {
    var draft = InvoiceDraft()
    draft.latest = try reader.readInt64()
    draft.attributes = try reader.readBytes()
    for _ in 0..<(try reader.readCount()) {
      let name = String(decoding: try reader.readBytes(), as: UTF8.self)
      draft.services.append(
        (
          name,
          Sums(
            records: try reader.readInt64(), quantity: try reader.readInt128(), amount: try reader.readInt128(),
            charge: try reader.readInt128())
        ))
    }
    guard draft.isPresent else { throw .malformed("an invoice without a service") }
    return draft
  }
}
