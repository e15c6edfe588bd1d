/// When results are next given by the wall clock: at most once a period, and only if there are any.
///
/// The first call only says what time it is: the first results come a period after the first rows.
struct EmitTimer {
  private let every: Int64
  private var next: Int64?

  init(every: Int64) { self.every = every }

  /// When to call again; `hasChanges` says whether there is anything to give.
  func due(hasChanges: Bool) -> Int64? { hasChanges ? next ?? .min : nil }

  /// Whether results are due at `now`.
  mutating func fires(at now: Int64) -> Bool {
    defer { if next.map({ now >= $0 }) ?? true { next = now + every } }
    return next.map { now >= $0 } ?? false
  }
}
