import Formats
import StreamModel

/// How many records of each kind were made. Every record counts once, spikes beside.
package struct GeneratedCounts: Hashable, Sendable {
  package var records: Int64 = 0
  package var duplicates: Int64 = 0
  package var missing: Int64 = 0
  package var corrupt: Int64 = 0
  package var late: Int64 = 0
  /// Records of spikes.
  package var spikes: Int64 = 0
  /// Records of planted frauds.
  package var frauds: Int64 = 0
  package init() {}
}

/// Makes usage records block by block. A block's bytes depend on the settings and its number alone, so that any block can be
/// made without those before it.
///
/// One owner. `generate` fills `bytes` and `ends`, which hold until the next call.
final class UsageGenerator {
  static let recordsPerBlock = 4096
  /// A block's bytes are fewer than this.
  static let blockSpanBytes = recordsPerBlock * 512
  /// A duplicate comes at most this many records after its original, and only while it cannot be late.
  private static let duplicateReach: UInt64 = 64
  private static let duplicateReachMilliseconds: Int64 = 8000

  private let spec: GeneratorSpec
  private var model: UsageModel
  private var encoder: UsageEncoder
  private let isCSV: Bool
  private let duplicateThreshold: UInt64
  private let missingThreshold: UInt64
  private let corruptThreshold: UInt64
  private let lateThreshold: UInt64

  private let storage = Memory(capacityBytes: UsageGenerator.blockSpanBytes)
  /// Where each record of the block ends.
  private(set) var ends: [Int] = []
  private(set) var counts = GeneratedCounts()
  private var times = [EventTime](repeating: 0, count: UsageGenerator.recordsPerBlock)
  private var isSound = [Bool](repeating: false, count: UsageGenerator.recordsPerBlock)

  init(_ spec: GeneratorSpec, format: Format) {
    self.spec = spec
    model = UsageModel(spec)
    encoder = UsageEncoder(format, isBrief: spec.isBrief)
    if case .csv = format { isCSV = true } else { isCSV = false }
    duplicateThreshold = GeneratorRandom.threshold(spec.duplicates)
    missingThreshold = GeneratorRandom.threshold(spec.duplicates + spec.missing)
    corruptThreshold = GeneratorRandom.threshold(spec.duplicates + spec.missing + spec.corrupt)
    lateThreshold = GeneratorRandom.threshold(spec.duplicates + spec.missing + spec.corrupt + spec.late)
    ends.reserveCapacity(UsageGenerator.recordsPerBlock)
  }

  var header: [UInt8] { encoder.header }

  /// The block's bytes.
  var bytes: UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: storage.base.assumingMemoryBound(to: UInt8.self), count: ends.last ?? 0)
  }

  /// How many records block `block` has: 0 past the end.
  func recordCount(ofBlock block: Int64) -> Int {
    guard let rows = spec.rows else { return UsageGenerator.recordsPerBlock }
    let (before, overflow) = block.multipliedReportingOverflow(by: Int64(UsageGenerator.recordsPerBlock))
    return overflow ? 0 : Int(min(Int64(UsageGenerator.recordsPerBlock), max(0, rows - before)))
  }

  func spikeAccount(at time: EventTime) -> UInt64? { model.spike(at: time)?.account }

  func generate(block: Int64) {
    var random = GeneratorRandom(spec.seed, UInt64(bitPattern: block))
    let first = block * Int64(UsageGenerator.recordsPerBlock)
    let start = storage.base.assumingMemoryBound(to: UInt8.self)
    var cursor = start
    ends.removeAll(keepingCapacity: true)
    for position in 0..<recordCount(ofBlock: block) {
      let index = first + Int64(position)
      let place = model.placeInTime(ofRecord: index)
      cursor = append(index, position, place, to: cursor, &random)
      ends.append(cursor - start)
    }
    counts.records += Int64(ends.count)
  }

  /// Writes one record, sound or not.
  @inline(__always) private func append(
    _ index: Int64, _ position: Int, _ place: EventTime, to cursor: UnsafeMutablePointer<UInt8>,
    _ random: inout GeneratorRandom
  ) -> UnsafeMutablePointer<UInt8> {
    let kind = random.next()
    if kind < duplicateThreshold, let end = repeatRecord(before: position, place, to: cursor, random.next()) {
      return end
    }
    var record = UsageRecord()
    if let (phase, threshold) = model.fraudPhase(ofRecord: index, at: place), random.next() < threshold {
      model.fill(&record, index: index, place: place, fraud: phase, &random)
      counts.frauds += 1
    } else {
      let isSpike = model.fill(&record, index: index, place: place, spike: model.spike(at: place), &random)
      counts.spikes += isSpike ? 1 : 0
    }
    var missing = UsageEncoder.Missing()
    var isCorrupt = false
    if kind < lateThreshold && kind >= duplicateThreshold {
      (missing, isCorrupt) = spoil(&record, kind, index: index, random.next())
    }
    times[position] = record.startedAt
    isSound[position] =
      missing.field == .none && !isCorrupt && record.startedAt > place - UsageModel.maximumDisorderMilliseconds
    let end = encoder.write(record, missing: missing, to: cursor)
    return isCorrupt ? corrupt(cursor, end, random.next()) : end
  }

  // MARK: - Anomalies

  /// Copies a sound record not far back; nil when there is none.
  private func repeatRecord(
    before position: Int, _ place: EventTime, to cursor: UnsafeMutablePointer<UInt8>, _ draw: UInt64
  ) -> UnsafeMutablePointer<UInt8>? {
    let reach = 1 + Int(GeneratorRandom.scale(draw, UsageGenerator.duplicateReach))
    var original = max(0, position - reach)
    while original < position {
      let isNear = place - times[original] < UsageGenerator.duplicateReachMilliseconds || original == position - 1
      if isSound[original] && isNear { break }
      original += 1
    }
    guard original < position else { return nil }
    times[position] = times[original]
    isSound[position] = place - times[original] < UsageGenerator.duplicateReachMilliseconds
    counts.duplicates += 1
    let from = original == 0 ? 0 : ends[original - 1]
    cursor.update(from: storage.base.assumingMemoryBound(to: UInt8.self) + from, count: ends[original] - from)
    return cursor + (ends[original] - from)
  }

  private func spoil(
    _ record: inout UsageRecord, _ kind: UInt64, index: Int64, _ draw: UInt64
  ) -> (UsageEncoder.Missing, isCorrupt: Bool) {
    if kind < missingThreshold {
      counts.missing += 1
      let fields: [UsageEncoder.Missing.Field] = [.recordID, .accountID, .startedAt]
      return (UsageEncoder.Missing(field: fields[Int(draw % 3)], isDropped: draw >> 32 & 1 == 0), false)
    }
    if kind < corruptThreshold {
      counts.corrupt += 1
      return (UsageEncoder.Missing(), true)
    }
    // The first record of all has nothing to be behind.
    if index > 0 {
      counts.late += 1
      let range = UsageModel.latenessRangeMilliseconds
      record.startedAt -= UsageModel.leastLatenessMilliseconds + Int64(GeneratorRandom.scale(draw, range))
    }
    return (UsageEncoder.Missing(), false)
  }

  /// Damages the record between `start` and `end` beyond reading: cut off, bytes that are no text, or text whose UTF-8 is
  /// cut. Its line stays one line.
  private func corrupt(
    _ start: UnsafeMutablePointer<UInt8>, _ end: UnsafeMutablePointer<UInt8>, _ draw: UInt64
  ) -> UnsafeMutablePointer<UInt8> {
    let length = end - start
    switch draw % 3 {
    case 0:
      let kept = start + 8 + Int(GeneratorRandom.scale(draw, UInt64(length / 2)))
      kept.pointee = UInt8(ascii: "\n")
      return kept + 1
    case 1:
      let kept = 16 + Int(GeneratorRandom.scale(draw, 48))
      var noise = GeneratorRandom(draw, 0)
      for place in 0..<kept { start[place] = 0x80 | UInt8(truncatingIfNeeded: noise.next() >> 32) }
      start[kept] = UInt8(ascii: "\n")
      return start + kept + 1
    default:
      // Inside the record's identity, in either format.
      start[isCSV ? 5 : 20] = 0xE2
      return end
    }
  }
}
