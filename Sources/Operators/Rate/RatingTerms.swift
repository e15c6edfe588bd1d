import StreamModel

/// What one context comes to in a span of time in which nothing of it changes: tariff, cycle, local day, hours of modifiers.
///
/// Plain numbers, so that a loop over rows neither counts references nor looks anything up while rows stay in the span.
struct RatingTerms {
  /// The span: from `from` and before `end`. Empty before the first row.
  var from: EventTime = 0
  var end: EventTime = 0
  /// Why no row of the span can be rated.
  var obstacle: Obstacle = .none
  var allowsInternational = false
  var cycle = BillingCycle(start: 0, end: 0)
  /// The first local day of the cycle.
  var firstDay: Int64 = 0
  var increment: Int64 = 1
  var free: Int64 = 0
  var rollover: Int64 = 0
  /// The view of the version's name.
  var version: UInt64 = 0
  /// Of a tariff with one tier: the price of a unit and the view that says so.
  var price: Int64 = 0
  var priceView: UInt64 = 0
  var hasTiers = false
  /// The tariff, where there is one; the catalogue's, which lives longer.
  var tariff: Unmanaged<RatedTariff>?
  /// The modifiers that apply: of rows that are neither roaming nor international, roaming, international, and both.
  var combinations: InlineArray<4, RatedTariff.Combination> = InlineArray(repeating: .none)
  /// The panes of the cycle, the one before it and the one after, by position among `CyclePanes.numbered`; below zero for none.
  /// As of version `resolvedAt` of the panes.
  var own: Int32 = -1
  var previous: Int32 = -1
  var next: Int32 = -1
  var resolvedAt = -1

  enum Obstacle: UInt8 {
    case none
    /// The catalogue has no tariff.
    case noTariff
    case unknownTimezone, badCycleDay
    /// The cycle lies beyond the years that times can have.
    case impossibleCycle
  }

  @inline(__always) func holds(at time: EventTime) -> Bool { time >= from && time < end }

  /// Narrows the span.
  mutating func narrow(from: EventTime, end: EventTime) {
    self.from = max(self.from, from)
    self.end = min(self.end, end)
  }

  /// `quantity` as it is rated; nil where it has too many digits.
  @inline(__always) func roundUp(_ quantity: Int64) -> Int64? {
    let rest = quantity % increment
    if rest == 0 { return quantity }
    let (rounded, overflow) = quantity.addingReportingOverflow(increment - rest)
    return overflow ? nil : rounded
  }

  @inline(__always) func combination(isRoaming: Bool, isInternational: Bool) -> RatedTariff.Combination {
    combinations[(isRoaming ? 1 : 0) | (isInternational ? 2 : 0)]
  }
}
