import StreamModel

/// One usage record before it is written: `usage.v1` in numbers.
struct UsageRecord {
  enum Service: UInt8 {
    case voice, sms, data
  }

  var identity: UInt64 = 0
  var account: UInt64 = 1
  /// Index of the account's own country in `UsageCountry.all`.
  var home = 0
  /// E.164 without the plus.
  var msisdn: UInt64 = 0
  var service = Service.voice
  var startedAt: EventTime = 0
  /// Seconds, messages or megabytes, in thousandths.
  var quantityThousandths: Int64 = 0
  /// E.164 without the plus; for data the index of an APN.
  var destination: UInt64 = 0
  /// Index of the serving network's country in `UsageCountry.all`.
  var country = 0
  var isRoaming = false
  var isInternational = false
  var network: UInt64 = 1
  var area: UInt64 = 1000
  var cell: UInt64 = 10_000
}
