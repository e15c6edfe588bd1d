import Operators
import StreamModel

extension RateSpec {
  /// `month, timezone UTC, cycle_day of column cycle_day`.
  var cyclePhrase: String {
    let window = WindowSpec.calendar(period, timezone: timezone, cycleDay: cycleDay).phrase(inputSchema)
    return String(window.dropFirst("tumble ".count))
  }

  /// What each setting takes, column or constant.
  var mapping: [(setting: String, value: String)] {
    func text(_ setting: Setting<Bool>) -> String {
      switch setting {
      case .constant(let value): "\(value)"
      case .column(let column): inputSchema[column].name
      }
    }
    let columns = [("account", account), ("plan", plan), ("service", service), ("quantity", quantity)]
    return columns.map { ($0.0, inputSchema[$0.1].name) }
      + [("international", text(international)), ("roaming", text(roaming))]
      + (joined.map { [("joined", inputSchema[$0].name)] } ?? [])
  }
}

extension TariffCatalog.Tariff {
  /// `increment 1, free 120, rollover 60, 0.05 to 1000, 0.1`.
  var phrase: String {
    func quantity(_ value: Int64) -> String { Numbers.short(value, scale: TariffCatalog.quantityScale) }
    var parts = ["increment \(quantity(increment))"]
    if free > 0 { parts.append("free \(quantity(free))") }
    if rollover > 0 { parts.append("rollover \(quantity(rollover))") }
    parts += tiers.map { tier in
      Numbers.short(tier.price, scale: TariffCatalog.priceScale) + (tier.upTo.map { " to \(quantity($0))" } ?? "")
    }
    return parts.joined(separator: ", ")
  }
}

extension InvoiceSpec {
  /// What each setting takes, column or constant.
  var mapping: [(setting: String, value: String)] {
    var columns: [(String, Int?)] = [
      ("account", account), ("currency", currency), ("service", service), ("quantity", quantity), ("amount", amount),
      ("charge", charge), ("cycle_start", cycleStart), ("cycle_end", cycleEnd), ("plan", plan), ("country", country),
      ("region", region), ("student", student), ("joined", joined),
    ]
    var zone: [(setting: String, value: String)] = []
    switch timezone {
    case .constant(let name): zone = [("timezone", name)]
    case .column(let column): columns.append(("timezone", column))
    }
    return columns.compactMap { name, column in column.map { (name, inputSchema[$0].name) } } + zone
  }
}

extension InvoiceRules.Discount {
  /// `15% for students`.
  var phrase: String {
    let amount =
      switch size {
      case .percent(let percent): Numbers.percent(percent)
      case .perYear(let percent, let most): "\(Numbers.percent(percent)) a year, at most \(Numbers.percent(most))"
      case .thresholds(let thresholds, let service):
        thresholds.map {
          "\(Numbers.percent($0.percent)) from \(Numbers.short($0.from, scale: TariffCatalog.quantityScale))"
        }.joined(separator: ", ") + " of \(service ?? "charges")"
      }
    return ([amount] + condition.phrases).joined(separator: ", ")
  }
}

extension InvoiceRules.Fee {
  /// `9.99 EUR, plans standard`.
  var phrase: String {
    let amounts = amounts.sorted { $0.key < $1.key }.map { currency, amount in
      "\(Decimal.format(Int128(amount), scale: InvoiceSpec.moneyScale)) \(currency)"
    }
    return (amounts + condition.phrases).joined(separator: ", ")
  }
}

extension InvoiceRules.Condition {
  fileprivate var phrases: [String] {
    var phrases: [String] = []
    if let student { phrases.append(student ? "students" : "no students") }
    if let plans { phrases.append("plans \(plans.sorted().joined(separator: " "))") }
    if let regions { phrases.append("regions \(regions.sorted().joined(separator: " "))") }
    if let firstDay { phrases.append("from \(CivilTime.formatDate(firstDay))") }
    if let endDay { phrases.append("before \(CivilTime.formatDate(endDay))") }
    return phrases
  }
}

/// Numbers for people.
enum Numbers {
  /// A percentage, given in ten-thousandths: `2.5%`.
  static func percent(_ tenThousandths: Int64) -> String { short(tenThousandths, scale: 4) + "%" }

  /// A decimal without zeros at the end.
  static func short(_ unscaled: Int64, scale: Int) -> String {
    var (unscaled, scale) = (unscaled, scale)
    while scale > 0, unscaled % 10 == 0 {
      unscaled /= 10
      scale -= 1
    }
    return Decimal.format(Int128(unscaled), scale: scale)
  }
}
