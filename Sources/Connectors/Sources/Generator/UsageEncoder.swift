import Formats
import StreamModel

/// Writes usage records straight into memory, as JSON lines or CSV.
struct UsageEncoder {
  /// A field left out or null, for records that lack a required one; in CSV both are an empty cell.
  struct Missing: Equatable {
    enum Field: UInt8 { case none, recordID, accountID, startedAt }
    var field = Field.none
    var isDropped = false
  }

  /// More than any record takes, in either format.
  static let maxRecordBytes = 480

  /// nil for JSON.
  private let delimiter: UInt8?
  /// What goes before the first record.
  let header: [UInt8]
  private var cachedDay = Int64.min
  private var cachedDate: (UInt64, UInt16) = (0, 0)
  private static let hexDigits: StaticString = "0123456789abcdef"

  private let isBrief: Bool

  init(_ format: Format, isBrief: Bool) {
    self.isBrief = isBrief
    guard case .csv(let options) = format else {
      delimiter = nil
      header = []
      return
    }
    delimiter = options.delimiter
    let names = [
      "record_id", "account_id", "msisdn", "service", "started_at", "quantity", "destination", "country", "roaming",
      "international", "cell_id",
    ]
    let line = Array(names.map { Array($0.utf8) }.joined(separator: [options.delimiter])) + [UInt8(ascii: "\n")]
    header = options.header ? line : []
  }

  /// Writes one record and its line end; returns where it ends.
  @inline(__always) mutating func write(
    _ record: UsageRecord, missing: Missing, to start: UnsafeMutablePointer<UInt8>
  ) -> UnsafeMutablePointer<UInt8> {
    var cursor = ByteCursor(start)
    if let delimiter {
      writeCSV(record, missing.field, delimiter, &cursor)
    } else {
      writeJSON(record, missing, &cursor)
    }
    cursor.byte(UInt8(ascii: "\n"))
    return cursor.position
  }

  // MARK: - JSON

  @inline(__always) private mutating func writeJSON(
    _ record: UsageRecord, _ missing: Missing, _ cursor: inout ByteCursor
  ) {
    cursor.byte(UInt8(ascii: "{"))
    if missing.field == .recordID {
      if !missing.isDropped { cursor.literal("\"record_id\":null,") }
    } else {
      cursor.literal("\"record_id\":\"")
      writeIdentity(record.identity, &cursor)
      cursor.literal("\",")
    }
    if missing.field == .accountID {
      if !missing.isDropped { cursor.literal("\"account_id\":null,") }
    } else {
      cursor.literal("\"account_id\":\"")
      writeAccount(record.account, &cursor)
      cursor.literal("\",")
    }
    if !isBrief {
      cursor.literal("\"msisdn\":\"+")
      cursor.number(record.msisdn)
      cursor.literal("\",")
    }
    switch record.service {
    case .voice: cursor.literal("\"service\":\"voice\",")
    case .sms: cursor.literal("\"service\":\"sms\",")
    case .data: cursor.literal("\"service\":\"data\",")
    }
    writeTimeField(record, missing, &cursor)
    cursor.literal("\"quantity\":")
    writeQuantity(record.quantityThousandths, &cursor)
    if !isBrief {
      cursor.literal(",\"destination\":\"")
      writeDestination(record, &cursor)
      cursor.byte(UInt8(ascii: "\""))
    }
    cursor.literal(",\"country\":\"")
    cursor.literal(UsageCountry.all[record.country].code)
    cursor.literal("\",\"roaming\":")
    writeBoolean(record.isRoaming, &cursor)
    cursor.literal(",\"international\":")
    writeBoolean(record.isInternational, &cursor)
    if !isBrief {
      cursor.literal(",\"cell_id\":\"")
      writeCell(record, &cursor)
      cursor.byte(UInt8(ascii: "\""))
    }
    cursor.byte(UInt8(ascii: "}"))
  }

  @inline(__always) private mutating func writeTimeField(
    _ record: UsageRecord, _ missing: Missing, _ cursor: inout ByteCursor
  ) {
    if missing.field == .startedAt {
      if !missing.isDropped { cursor.literal("\"started_at\":null,") }
      return
    }
    cursor.literal("\"started_at\":\"")
    writeTime(record.startedAt, &cursor)
    cursor.literal("\",")
  }

  // MARK: - CSV

  @inline(__always) private mutating func writeCSV(
    _ record: UsageRecord, _ missing: Missing.Field, _ delimiter: UInt8, _ cursor: inout ByteCursor
  ) {
    if missing != .recordID { writeIdentity(record.identity, &cursor) }
    cursor.byte(delimiter)
    if missing != .accountID { writeAccount(record.account, &cursor) }
    cursor.byte(delimiter)
    cursor.byte(UInt8(ascii: "+"))
    cursor.number(record.msisdn)
    cursor.byte(delimiter)
    switch record.service {
    case .voice: cursor.literal("voice")
    case .sms: cursor.literal("sms")
    case .data: cursor.literal("data")
    }
    cursor.byte(delimiter)
    if missing != .startedAt { writeTime(record.startedAt, &cursor) }
    cursor.byte(delimiter)
    writeQuantity(record.quantityThousandths, &cursor)
    cursor.byte(delimiter)
    writeDestination(record, &cursor)
    cursor.byte(delimiter)
    cursor.literal(UsageCountry.all[record.country].code)
    cursor.byte(delimiter)
    writeBoolean(record.isRoaming, &cursor)
    cursor.byte(delimiter)
    writeBoolean(record.isInternational, &cursor)
    cursor.byte(delimiter)
    writeCell(record, &cursor)
  }

  // MARK: - Values

  @inline(__always) private func writeIdentity(_ identity: UInt64, _ cursor: inout ByteCursor) {
    let digits = UsageEncoder.hexDigits.utf8Start
    for place in 0..<16 {
      cursor.position[place] = digits[Int(truncatingIfNeeded: identity >> UInt64(60 - 4 * place) & 15)]
    }
    cursor.position += 16
  }

  @inline(__always) private func writeAccount(_ account: UInt64, _ cursor: inout ByteCursor) {
    cursor.literal("acc-")
    if account < 1_000_000 { cursor.digits(account, 6) } else { cursor.number(account) }
  }

  @inline(__always) private func writeQuantity(_ thousandths: Int64, _ cursor: inout ByteCursor) {
    let (whole, fraction) = UInt64(bitPattern: thousandths).quotientAndRemainder(dividingBy: 1000)
    cursor.number(whole)
    cursor.byte(UInt8(ascii: "."))
    cursor.digits(fraction, 3)
  }

  @inline(__always) private func writeDestination(_ record: UsageRecord, _ cursor: inout ByteCursor) {
    if record.service == .data {
      cursor.literal(UsageCountry.apns[Int(truncatingIfNeeded: record.destination)])
    } else {
      cursor.byte(UInt8(ascii: "+"))
      cursor.number(record.destination)
    }
  }

  @inline(__always) private func writeBoolean(_ value: Bool, _ cursor: inout ByteCursor) {
    if value { cursor.literal("true") } else { cursor.literal("false") }
  }

  /// Mobile country code, network, area and cell: `272-01-1042-31877`.
  @inline(__always) private func writeCell(_ record: UsageRecord, _ cursor: inout ByteCursor) {
    cursor.digits(UsageCountry.all[record.country].mobileCode, 3)
    cursor.byte(UInt8(ascii: "-"))
    cursor.digits(record.network, 2)
    cursor.byte(UInt8(ascii: "-"))
    cursor.digits(record.area, 4)
    cursor.byte(UInt8(ascii: "-"))
    cursor.digits(record.cell, 5)
  }

  /// RFC 3339; the date is worked out once a day.
  @inline(__always) private mutating func writeTime(_ time: EventTime, _ cursor: inout ByteCursor) {
    let (day, millisecond) = CivilTime.split(time)
    let target = UnsafeMutableRawPointer(cursor.position)
    if day != cachedDay {
      CivilTime.writeDate(day, to: cursor.position)
      cachedDay = day
      cachedDate = (target.loadUnaligned(as: UInt64.self), target.loadUnaligned(fromByteOffset: 8, as: UInt16.self))
    }
    target.storeBytes(of: cachedDate.0, as: UInt64.self)
    target.storeBytes(of: cachedDate.1, toByteOffset: 8, as: UInt16.self)
    cursor.position += 10
    let clock = UInt64(bitPattern: millisecond)
    let seconds = clock / 1000
    cursor.byte(UInt8(ascii: "T"))
    cursor.digits(seconds / 3600, 2)
    cursor.byte(UInt8(ascii: ":"))
    cursor.digits(seconds / 60 % 60, 2)
    cursor.byte(UInt8(ascii: ":"))
    cursor.digits(seconds % 60, 2)
    cursor.byte(UInt8(ascii: "."))
    cursor.digits(clock % 1000, 3)
    cursor.byte(UInt8(ascii: "Z"))
  }
}

/// A place in memory that text is written to; whoever makes it has seen to the room.
struct ByteCursor {
  var position: UnsafeMutablePointer<UInt8>

  @inline(__always) init(_ position: UnsafeMutablePointer<UInt8>) { self.position = position }

  @inline(__always) mutating func byte(_ byte: UInt8) {
    position.pointee = byte
    position += 1
  }

  @inline(__always) mutating func literal(_ text: StaticString) {
    position.update(from: text.utf8Start, count: text.utf8CodeUnitCount)
    position += text.utf8CodeUnitCount
  }

  /// Exactly `count` digits.
  @inline(__always) mutating func digits(_ value: UInt64, _ count: Int) {
    var rest = value
    var place = count
    while place > 0 {
      place -= 1
      let (quotient, digit) = rest.quotientAndRemainder(dividingBy: 10)
      position[place] = 48 + UInt8(truncatingIfNeeded: digit)
      rest = quotient
    }
    position += count
  }

  /// As many digits as the number has.
  @inline(__always) mutating func number(_ value: UInt64) {
    var length = 1
    var bound: UInt64 = 10
    while value >= bound {
      length += 1
      bound &*= 10
    }
    digits(value, length)
  }
}
