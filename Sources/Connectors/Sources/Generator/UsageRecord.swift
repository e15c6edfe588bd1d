import StreamModel

/// One usage record before it is written: `usage.v1` in numbers.
struct UsageRecord {
  enum Service: UInt8 {
    case voice, sms, data
  }

  var identity: UInt64 = 0
  var account: UInt64 = 1
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

/// A country whose networks subscribers are served by and call to.
struct UsageCountry {
  /// ISO 3166-1 alpha-2.
  let code: StaticString
  /// Mobile country code (ITU-T E.212).
  let mobileCode: UInt64
  /// The beginning of its mobile numbers in E.164, and how many digits follow.
  let numberPrefix: UInt64
  let numberDigits: Int

  /// Home first.
  static let all: [UsageCountry] = [
    UsageCountry(code: "IE", mobileCode: 272, numberPrefix: 3538, numberDigits: 8),
    UsageCountry(code: "GB", mobileCode: 234, numberPrefix: 447, numberDigits: 9),
    UsageCountry(code: "ES", mobileCode: 214, numberPrefix: 346, numberDigits: 8),
    UsageCountry(code: "FR", mobileCode: 208, numberPrefix: 336, numberDigits: 8),
    UsageCountry(code: "PT", mobileCode: 268, numberPrefix: 3519, numberDigits: 8),
    UsageCountry(code: "PL", mobileCode: 260, numberPrefix: 485, numberDigits: 8),
    UsageCountry(code: "DE", mobileCode: 262, numberPrefix: 4915, numberDigits: 9),
    UsageCountry(code: "IT", mobileCode: 222, numberPrefix: 393, numberDigits: 9),
    UsageCountry(code: "US", mobileCode: 310, numberPrefix: 1212, numberDigits: 7),
    UsageCountry(code: "MA", mobileCode: 604, numberPrefix: 2126, numberDigits: 8),
    UsageCountry(code: "TR", mobileCode: 286, numberPrefix: 905, numberDigits: 9),
    UsageCountry(code: "IN", mobileCode: 404, numberPrefix: 919, numberDigits: 9),
  ]

  static let apns: [StaticString] = ["internet", "internet", "internet", "mms", "iot.example", "corporate.example"]
}
