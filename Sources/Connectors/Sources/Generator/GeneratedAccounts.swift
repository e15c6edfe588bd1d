import Formats
import StreamModel

/// The accounts of generated usage: a table of what billing must know of each, in versions.
///
/// Columns: `account_id`, `valid_from`, `valid_to`, `plan`, `timezone`, `cycle_day`, `home_country`, `region`, `student`,
/// `joined`, `currency`. An account has one version, or two where it has changed its plan in the first sixty days of usage. The same
/// seed, number of accounts and start give the same bytes, and the countries in which the accounts' usage is at home.
struct GeneratedAccounts {
  private let model: UsageModel
  private let spec: GeneratorSpec
  private let isCSV: Bool

  private static let names = [
    "account_id", "valid_from", "valid_to", "plan", "timezone", "cycle_day", "home_country", "region", "student",
    "joined", "currency",
  ]
  /// Columns that JSON writes without quotes.
  private static let bare: Set<String> = ["cycle_day", "student"]

  private static let places: [String: (timezone: String, currency: String)] = [
    "IE": ("Europe/Dublin", "EUR"), "GB": ("Europe/London", "GBP"), "ES": ("Europe/Madrid", "EUR"),
    "FR": ("Europe/Paris", "EUR"), "PT": ("Europe/Lisbon", "EUR"), "PL": ("Europe/Warsaw", "PLN"),
    "DE": ("Europe/Berlin", "EUR"), "IT": ("Europe/Rome", "EUR"), "US": ("America/New_York", "USD"),
    "MA": ("Africa/Casablanca", "MAD"), "TR": ("Europe/Istanbul", "TRY"), "IN": ("Asia/Kolkata", "INR"),
  ]

  init(_ spec: GeneratorSpec, format: Format) {
    self.spec = spec
    model = UsageModel(spec)
    if case .csv = format { isCSV = true } else { isCSV = false }
  }

  /// The header of a CSV table.
  var header: String { isCSV ? GeneratedAccounts.names.joined(separator: ",") + "\n" : "" }

  /// The lines of account `number`, from 1.
  func lines(ofAccount number: UInt64) -> String {
    var random = GeneratorRandom(spec.seed ^ 0xACC0, number)
    let country = model.homeCountry(ofAccount: number)
    let place = GeneratedAccounts.places[country] ?? ("UTC", "EUR")
    let isPremium = random.below(10) < 3
    let firstDay = CivilTime.split(spec.start).day
    let joined = firstDay - 30 - Int64(random.below(4200))
    let region = random.below(10) < 6 ? "urban" : "rural"
    let isStudent = random.below(8) == 0
    let change = random.below(5) == 0 ? firstDay + 1 + Int64(random.below(60)) : nil
    func version(_ from: Int64, _ to: Int64?, _ isPremium: Bool) -> String {
      line([
        "acc-" + GeneratedAccounts.padded(number), GeneratedAccounts.midnight(from),
        to.map(GeneratedAccounts.midnight) ?? "", isPremium ? "premium" : "standard", place.timezone,
        String(number % 28 + 1), country, region, String(isStudent), CivilTime.formatDate(joined), place.currency,
      ])
    }
    guard let change else { return version(joined, nil, isPremium) }
    return version(joined, change, isPremium) + version(change, nil, !isPremium)
  }

  private static func padded(_ number: UInt64) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 6 - digits.utf8.count)) + digits
  }

  private static func midnight(_ day: Int64) -> String { CivilTime.formatDate(day) + "T00:00:00Z" }

  private func line(_ values: [String]) -> String {
    if isCSV { return values.joined(separator: ",") + "\n" }
    let fields = zip(GeneratedAccounts.names, values).map { name, value in
      if value.isEmpty { return "\"\(name)\":null" }
      return GeneratedAccounts.bare.contains(name) ? "\"\(name)\":\(value)" : "\"\(name)\":\"\(value)\""
    }
    return "{" + fields.joined(separator: ",") + "}\n"
  }
}
