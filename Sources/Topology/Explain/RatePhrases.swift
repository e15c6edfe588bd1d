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

/// Numbers for people.
enum Numbers {
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
