import StreamModel

/// State cut into spans of event time of one width, each dropped whole when the watermark has passed what it is needed for.
struct TimeBuckets<Bucket: AnyObject> {
  /// The width of a span in ms; positive.
  let width: Int64
  private var buckets: [Int64: Bucket] = [:]
  private var lowest = Int64.max
  /// The last spans looked for, each in the place that its index gives; at first indices that no such place can hold.
  private var recentIndices: [Int64]
  private var recent: [Bucket?]

  private static var recentCount: Int { 8 }

  init(width: Int64) {
    precondition(width > 0, "a span of event time is positive")
    self.width = width
    recentIndices = (0..<TimeBuckets.recentCount).map { Int64($0 + 1) }
    recent = [Bucket?](repeating: nil, count: TimeBuckets.recentCount)
  }

  var isEmpty: Bool { buckets.isEmpty }
  var all: some Sequence<Bucket> { buckets.values }

  /// The index of the span that `time` lies in.
  @inline(__always) func index(of time: EventTime) -> Int64 {
    let quotient = time / width
    return time % width < 0 ? quotient &- 1 : quotient
  }

  /// The first time of span `index`.
  @inline(__always) func start(of index: Int64) -> EventTime { index &* width }

  /// The bucket of span `index`, if there is one.
  @inline(__always) mutating func find(_ index: Int64) -> Bucket? {
    let place = Int(truncatingIfNeeded: index & 7)
    if recentIndices[place] == index { return recent[place] }
    return findRarely(index, place)
  }

  private mutating func findRarely(_ index: Int64, _ place: Int) -> Bucket? {
    let bucket = buckets[index]
    recentIndices[place] = index
    recent[place] = bucket
    return bucket
  }

  /// The bucket of span `index`, made if there is none.
  mutating func findOrMake(_ index: Int64, _ make: () -> Bucket) -> Bucket {
    if let bucket = find(index) { return bucket }
    let bucket = make()
    buckets[index] = bucket
    lowest = min(lowest, index)
    recentIndices[Int(truncatingIfNeeded: index & 7)] = index
    recent[Int(truncatingIfNeeded: index & 7)] = bucket
    return bucket
  }

  /// The buckets of spans up to and with `index`, in order of time.
  func upTo(_ index: Int64) -> [(index: Int64, bucket: Bucket)] {
    guard lowest <= index else { return [] }
    return buckets.filter { $0.key <= index }.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }
  }

  mutating func remove(_ index: Int64) {
    buckets[index] = nil
    let place = Int(truncatingIfNeeded: index & 7)
    if recentIndices[place] == index { recent[place] = nil }
    if index == lowest { lowest = buckets.keys.min() ?? .max }
  }

  mutating func removeAll() { self = TimeBuckets(width: width) }
}
