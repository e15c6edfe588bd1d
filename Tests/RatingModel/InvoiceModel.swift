import Foundation

/// What an invoice must say, told as the rules tell it.
package struct InvoiceModel: Sendable {
  package struct Discount: Sendable {
    package enum Size: Sendable {
      case percent(Decimal)
      case perYear(Decimal, atMost: Decimal)
      case thresholds([(from: Decimal, percent: Decimal)], service: String?)
    }
    package var name: String
    package var size: Size
    package var student: Bool?
    package var regions: Set<String>?
    package var plans: Set<String>?
    package var from: Int64?
    package var to: Int64?

    package init(_ name: String, _ size: Size) {
      self.name = name
      self.size = size
    }
  }

  package struct Rate: Sendable {
    package var country: String?
    package var percent: Decimal
    package var from: Int64?
    package var to: Int64?

    package init(_ country: String?, _ percent: Decimal, from: Int64? = nil, to: Int64? = nil) {
      self.country = country
      self.percent = percent
      self.from = from
      self.to = to
    }
  }

  package struct Fee: Sendable {
    package var name: String
    package var plans: Set<String>?
    package var amounts: [String: Decimal]

    package init(_ name: String, plans: Set<String>? = nil, _ amounts: [String: Decimal]) {
      self.name = name
      self.plans = plans
      self.amounts = amounts
    }
  }

  /// One rated record.
  package struct Record: Sendable {
    package var service: String
    package var quantity: Decimal
    package var amount: Decimal
    package var charge: Decimal

    package init(service: String, quantity: Decimal, amount: Decimal, charge: Decimal) {
      self.service = service
      self.quantity = quantity
      self.amount = amount
      self.charge = charge
    }
  }

  package struct Account: Sendable {
    package var plan: String?
    package var country: String?
    package var region: String?
    package var student: Bool?
    /// Days since 1970-01-01.
    package var joined: Int64?
    package init() {}
  }

  package struct Line: Hashable, Sendable {
    package var kind: String
    package var name: String
    package var records: Int?
    package var quantity: Decimal?
    package var percent: Decimal?
    package var amount: Decimal

    package init(
      _ kind: String, _ name: String, records: Int? = nil, quantity: Decimal? = nil, percent: Decimal? = nil,
      _ amount: Decimal
    ) {
      self.kind = kind
      self.name = name
      self.records = records
      self.quantity = quantity
      self.percent = percent
      self.amount = amount
    }
  }

  package var services: [String]
  package var cap: Decimal
  package var discounts: [Discount]
  package var vat: [Rate]
  package var fees: [Fee]

  package init(services: [String], cap: Decimal, discounts: [Discount], vat: [Rate], fees: [Fee]) {
    self.services = services
    self.cap = cap
    self.discounts = discounts
    self.vat = vat
    self.fees = fees
  }

  /// The lines, or why there are none; `day`: the cycle's last local day.
  package func lines(
    _ records: [Record], _ account: Account, currency: String, day: Int64, scale: Int
  ) -> (lines: [Line], fault: String?) {
    var lines: [Line] = []
    for service in services {
      let own = records.filter { $0.service == service }
      if own.isEmpty { continue }
      lines.append(
        Line(
          "usage", service, records: own.count, quantity: own.reduce(0) { $0 + $1.quantity },
          own.reduce(0) { $0 + $1.amount }))
    }
    let gross = records.reduce(Decimal(0)) { $0 + $1.amount }
    let granted = discounts.filter { holds($0, account, day) }.map { ($0.name, percent($0, records, account, day)) }
      .filter { $0.1 > 0 }
    for (name, percent) in granted {
      lines.append(Line("discount", name, percent: percent, -(gross * percent / 100).rounded(scale: scale, .bankers)))
    }
    let asked = granted.reduce(Decimal(0)) { $0 + $1.1 }
    let given = min(asked, cap)
    if asked > cap {
      lines.append(
        Line("cap", "cap", percent: cap, (gross * (asked - cap) / 100).rounded(scale: scale, .bankers)))
    }
    let net = (gross - gross * given / 100).rounded(scale: 2, .bankers)
    let soFar = lines.reduce(Decimal(0)) { $0 + $1.amount }
    if soFar != net { lines.append(Line("rounding", "rounding", net - soFar)) }
    lines.append(Line("net", "net", net))
    return finish(lines, net, account, currency, day)
  }

  private func finish(
    _ lines: [Line], _ net: Decimal, _ account: Account, _ currency: String, _ day: Int64
  ) -> (lines: [Line], fault: String?) {
    var (lines, total) = (lines, net)
    if !vat.isEmpty {
      let isNamed = vat.contains { $0.country != nil && $0.country == account.country }
      let rate = vat.first { rate in
        (isNamed ? rate.country == account.country : rate.country == nil)
          && day >= rate.from ?? .min && day < rate.to ?? .max
      }
      guard let rate else { return ([], "vat") }
      let tax = (net * rate.percent / 100).rounded(scale: 2, .bankers)
      lines.append(Line("vat", account.country ?? "vat", percent: rate.percent, tax))
      total += tax
    }
    for fee in fees where fee.plans.map({ plans in account.plan.map(plans.contains) ?? false }) ?? true {
      guard let amount = fee.amounts[currency] else { return ([], "fee") }
      lines.append(Line("fee", fee.name, amount))
      total += amount
    }
    lines.append(Line("total", "total", total))
    return (lines, nil)
  }

  private func holds(_ discount: Discount, _ account: Account, _ day: Int64) -> Bool {
    if let student = discount.student, student != (account.student ?? false) { return false }
    if let regions = discount.regions, account.region.map({ !regions.contains($0) }) ?? true { return false }
    if let plans = discount.plans, account.plan.map({ !plans.contains($0) }) ?? true { return false }
    return day >= discount.from ?? .min && day < discount.to ?? .max
  }

  private func percent(_ discount: Discount, _ records: [Record], _ account: Account, _ day: Int64) -> Decimal {
    switch discount.size {
    case .percent(let percent): return percent
    case .perYear(let percent, let most): return min(most, percent * Decimal(years(account.joined, day)))
    case .thresholds(let thresholds, let service):
      let volume = records.reduce(Decimal(0)) { sum, record in
        if let service { return record.service == service ? sum + record.quantity : sum }
        return sum + record.charge
      }
      return thresholds.filter { $0.from <= volume }.map(\.percent).last ?? 0
    }
  }

  /// Birthdays since: counted one by one.
  private func years(_ joined: Int64?, _ day: Int64) -> Int {
    guard let joined else { return 0 }
    var calendar = Calendar(identifier: .gregorian)
    calendar.timeZone = TimeZone(secondsFromGMT: 0)!
    let start = Date(timeIntervalSince1970: Double(joined) * 86_400)
    let end = Date(timeIntervalSince1970: Double(day) * 86_400)
    var count = 0
    while calendar.date(byAdding: .year, value: count + 1, to: start)! <= end { count += 1 }
    return count
  }
}
