import StreamModel

/// One invoice: its lines, which add up exactly.
///
/// The gross amount is the sum of the usage lines. Discounts take off percentages of it, together at most the cap; the net is the
/// gross less these, computed exactly and rounded half-even to two places, once. Discount lines are rounded to the usage lines'
/// places each; a line `rounding` says what that and the rounding of the net come to. Tax is on the net, rounded likewise; fees are
/// added as they are.
struct Invoice {
  struct Line: Equatable {
    var kind: InvoiceLineKind
    var name: String
    var records: Int64?
    var quantity: Int128?
    var unit: String?
    var percent: Int64?
    /// At `InvoiceSpec.amountScale`.
    var amount: Int128
  }

  private(set) var lines: [Line] = []
  private let spec: InvoiceSpec
  private let rules: InvoiceRules
  /// From two places to the lines' places.
  private let step: Int128

  /// Why there is no invoice.
  struct Fault: Error { let reason: String }

  /// The invoice of `draft`; `day` is the last local day of the cycle.
  init(
    _ draft: InvoiceDraft, of account: InvoiceAccount, currency: String, day: Int64, _ spec: InvoiceSpec
  ) throws(Fault) {
    self.spec = spec
    rules = spec.catalog.invoices
    step = Decimal.powersOfTen[spec.amountScale - InvoiceSpec.moneyScale]
    let gross = try addUsage(draft)
    let net = try addDiscounts(of: gross, draft, account, day)
    try addTaxAndFees(on: net, account, currency, day)
  }

  private static let overflow = Fault(reason: "an amount does not fit")

  private static func sum(_ left: Int128, _ right: Int128) throws(Fault) -> Int128 {
    let (sum, overflow) = left.addingReportingOverflow(right)
    guard !overflow, Decimal.fits(sum, precision: DataType.maxDecimalPrecision) else { throw Invoice.overflow }
    return sum
  }

  /// `amount × tenThousandths / 1,000,000`, its last `digits` digits rounded off half-even.
  private static func share(_ amount: Int128, _ tenThousandths: Int64, dropping digits: Int) throws(Fault) -> Int128 {
    let (product, overflow) = amount.multipliedReportingOverflow(by: Int128(tenThousandths))
    if overflow { throw Invoice.overflow }
    let divisor = Int128(InvoiceRules.all) * Decimal.powersOfTen[digits]
    return Decimal.divide(product, divisor, rounding: .halfEven)
  }

  // MARK: Parts

  /// Adds a line for each service, in the catalogue's order; returns their sum.
  private mutating func addUsage(_ draft: InvoiceDraft) throws(Fault) -> Int128 {
    let order = spec.catalog.services.map(\.name)
    func rank(_ name: String) -> Int { order.firstIndex(of: name) ?? order.count }
    var gross: Int128 = 0
    for (name, sums) in draft.services.sorted(by: { (rank($0.name), $0.name) < (rank($1.name), $1.name) }) {
      let amount = sums.amount * Decimal.powersOfTen[spec.amountScale - spec.inputScale]
      lines.append(
        Line(
          kind: .usage, name: name, records: sums.records, quantity: sums.quantity,
          unit: spec.catalog.services.first { $0.name == name }?.unit, amount: amount))
      gross = try Invoice.sum(gross, amount)
    }
    return gross
  }

  /// Adds discounts and the net; returns the net at two places.
  private mutating func addDiscounts(
    of gross: Int128, _ draft: InvoiceDraft, _ account: InvoiceAccount, _ day: Int64
  ) throws(Fault) -> Int128 {
    var percent: Int64 = 0
    var shown = gross
    for discount in rules.discounts where discount.condition.holds(account, day: day) {
      let size = size(of: discount, draft, account, day)
      if size == 0 { continue }
      percent += size
      let amount = -(try Invoice.share(gross, size, dropping: 0))
      lines.append(Line(kind: .discount, name: discount.name, percent: size, amount: amount))
      shown = try Invoice.sum(shown, amount)
    }
    if percent > rules.capTenThousandths {
      let excess = percent - rules.capTenThousandths
      let amount = try Invoice.share(gross, excess, dropping: 0)
      lines.append(Line(kind: .cap, name: "cap", percent: rules.capTenThousandths, amount: amount))
      shown = try Invoice.sum(shown, amount)
      percent = rules.capTenThousandths
    }
    let digits = spec.amountScale - InvoiceSpec.moneyScale
    let net = try Invoice.share(gross, InvoiceRules.all - percent, dropping: digits)
    if net * step != shown { lines.append(Line(kind: .rounding, name: "rounding", amount: net * step - shown)) }
    lines.append(Line(kind: .net, name: "net", amount: net * step))
    return net
  }

  private func size(
    of discount: InvoiceRules.Discount, _ draft: InvoiceDraft, _ account: InvoiceAccount, _ day: Int64
  ) -> Int64 {
    switch discount.size {
    case .percent(let percent): return percent
    case .perYear(let percent, let most): return min(account.fullYears(on: day) * percent, most)
    case .thresholds(let thresholds, let service):
      let (value, scale) = volume(service, draft)
      return thresholds.last {
        Int128($0.from) * Decimal.powersOfTen[scale] <= value * Decimal.powersOfTen[TariffCatalog.quantityScale]
      }?.percent ?? 0
    }
  }

  /// The quantity of a service, or all charges, and its digits after the point.
  private func volume(_ service: String?, _ draft: InvoiceDraft) -> (value: Int128, scale: Int) {
    // Far beyond any threshold, and far from what a product could not hold.
    let most = Decimal.powersOfTen[30]
    guard let service else {
      let total = draft.services.reduce(Int128(0)) { min($0 + min($1.sums.charge, most), most) }
      return (total, spec.chargeScale)
    }
    return (min(draft.services.first { $0.name == service }?.sums.quantity ?? 0, most), spec.quantityScale)
  }

  private mutating func addTaxAndFees(
    on net: Int128, _ account: InvoiceAccount, _ currency: String, _ day: Int64
  ) throws(Fault) {
    var total = net
    if !rules.vat.isEmpty {
      guard let rate = rules.vat(of: account.country, day: day) else {
        let country = account.country.map { "country `\($0)`" } ?? "an account without a country"
        throw Fault(reason: "there is no VAT rate for \(country) on \(CivilTime.formatDate(day))")
      }
      let tax = try Invoice.share(net, rate.percent, dropping: 0)
      lines.append(Line(kind: .vat, name: account.country ?? "vat", percent: rate.percent, amount: tax * step))
      total = try Invoice.sum(total, tax)
    }
    for fee in rules.fees where fee.condition.holds(account, day: day) {
      guard let amount = fee.amounts[currency] else {
        throw Fault(reason: "the fee `\(fee.name)` has no amount in \(currency)")
      }
      lines.append(Line(kind: .fee, name: fee.name, amount: Int128(amount) * step))
      total = try Invoice.sum(total, Int128(amount))
    }
    lines.append(Line(kind: .total, name: "total", amount: total * step))
  }
}

extension InvoiceSpec {
  /// Digits after the point of the input's columns.
  var inputScale: Int { RateSpec.scale(ofQuantity: inputSchema[amount].type) }
  var quantityScale: Int { RateSpec.scale(ofQuantity: inputSchema[quantity].type) }
  var chargeScale: Int { charge.map { RateSpec.scale(ofQuantity: inputSchema[$0].type) } ?? 0 }
}
