import StreamModel

/// What a catalogue says of invoices: discounts, value-added tax and fees.
///
/// Percentages are in ten-thousandths of a percent. Everything is judged on the last local day of a billing cycle.
package struct InvoiceRules: Sendable {
  /// The most that all discounts together take off; 100 % where nothing is said.
  package var capTenThousandths: Int64 = InvoiceRules.all
  package var discounts: [Discount] = []
  /// Rates of value-added tax: those of one country neither overlap nor leave gaps. Empty where there is no such tax.
  package var vat: [VATRate] = []
  package var fees: [Fee] = []

  /// 100 %.
  package static let all: Int64 = 1_000_000

  package init() {}

  /// What must hold of an account; all that is given.
  package struct Condition: Hashable, Sendable {
    /// Nil for all.
    package var plans: Set<String>?
    package var regions: Set<String>?
    package var student: Bool?
    /// Days since 1970-01-01, from the first and before the second.
    package var firstDay: Int64?
    package var endDay: Int64?
    package init() {}

    func holds(_ account: InvoiceAccount, day: Int64) -> Bool {
      if let plans, !(account.plan.map(plans.contains) ?? false) { return false }
      if let regions, !(account.region.map(regions.contains) ?? false) { return false }
      if let student, student != account.isStudent { return false }
      if let firstDay, day < firstDay { return false }
      if let endDay, day >= endDay { return false }
      return true
    }
  }

  package struct Discount: Hashable, Sendable {
    package enum Size: Hashable, Sendable {
      case percent(Int64)
      /// For each full year as a customer, up to a limit.
      case perYear(Int64, atMost: Int64)
      /// By the cycle's charges in the catalogue's currency, or by its quantity of a service: that of the highest threshold
      /// reached. Thresholds rise; they are scaled by `TariffCatalog.quantityScale`.
      case thresholds([Threshold], service: String?)
    }
    package struct Threshold: Hashable, Sendable {
      package let from: Int64
      package let percent: Int64
      package init(from: Int64, percent: Int64) {
        self.from = from
        self.percent = percent
      }
    }
    package var name: String
    package var condition: Condition
    package var size: Size

    package init(name: String, condition: Condition = Condition(), size: Size) {
      self.name = name
      self.condition = condition
      self.size = size
    }
  }

  package struct VATRate: Hashable, Sendable {
    /// ISO 3166; nil for countries that have no rate of their own.
    package var country: String?
    package var percent: Int64
    package var firstDay: Int64?
    package var endDay: Int64?

    package init(country: String?, percent: Int64, firstDay: Int64? = nil, endDay: Int64? = nil) {
      self.country = country
      self.percent = percent
      self.firstDay = firstDay
      self.endDay = endDay
    }
  }

  /// A fixed amount an invoice, in hundredths, by currency.
  package struct Fee: Hashable, Sendable {
    package var name: String
    package var condition: Condition
    package var amounts: [String: Int64]

    package init(name: String, condition: Condition = Condition(), amounts: [String: Int64]) {
      self.name = name
      self.condition = condition
      self.amounts = amounts
    }
  }

  /// The rate for a country on a day; nil where there is none.
  func vat(of country: String?, day: Int64) -> VATRate? {
    let own = vat.filter { $0.country != nil && $0.country == country }
    let rates = own.isEmpty ? vat.filter { $0.country == nil } : own
    return rates.first { day >= $0.firstDay ?? .min && day < $0.endDay ?? .max }
  }
}

/// What is known of an account when its cycle closes: what its latest record of the cycle said.
struct InvoiceAccount {
  var plan: String?
  var zone = ZoneRules.utc
  var country: String?
  var region: String?
  var isStudent = false
  /// Days since 1970-01-01.
  var joined: Int64?

  /// Full years from `joined` to `day`. One that began on a 29 February is full on 1 March of years that lack it.
  func fullYears(on day: Int64) -> Int64 {
    guard let joined, joined <= day else { return 0 }
    let (from, to) = (CivilTime.date(ofDay: joined), CivilTime.date(ofDay: day))
    return Int64(to.year - from.year - ((to.month, to.day) < (from.month, from.day) ? 1 : 0))
  }
}
