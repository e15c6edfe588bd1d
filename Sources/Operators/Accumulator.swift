import Expressions
import State
import StreamModel

/// Fixed-width records side by side, one a slot: the accumulators of one group lie together.
struct RecordArea {
  let base: UnsafeMutableRawPointer
  let stride: Int

  /// Field `offset` of the record in `slot`.
  @inline(__always) func field(_ slot: Int32, _ offset: Int) -> UnsafeMutableRawPointer {
    base + (Int(slot) &* stride &+ offset)
  }
}

extension RecordArea {
  /// The records of `partials`, to be read only.
  init(_ partials: PartialAggregates) { self.init(base: partials.records.base, stride: partials.strideBytes) }
}

/// Gives out offsets in a record: 8-byte words, and single-byte flags packed into words of their own.
struct RecordLayout {
  private(set) var stride = 0
  private var nextFlag = 0
  private var flagsLeft = 0

  mutating func words(_ count: Int) -> Int {
    defer { stride += count * 8 }
    return stride
  }

  mutating func flag() -> Int {
    if flagsLeft == 0 {
      nextFlag = words(1)
      flagsLeft = 8
    }
    defer {
      nextFlag += 1
      flagsLeft -= 1
    }
    return nextFlag
  }
}

/// What an accumulator reads of a batch.
struct AccumulatorInput {
  /// The evaluated argument; the event times for `count(*)`, which reads none.
  let column: Column
  let eventTimes: UnsafePointer<Int64>
  /// Where rows stand among those of one event time; nil where arrival alone says.
  let ties: UnsafePointer<Int64>?
  /// The argument encoded as a key, for `count(distinct x)`.
  let keys: KeyBatch?
}

/// Slots to combine: `sources[i]`, the later partial aggregate, into `targets[i]`.
struct SlotPairs {
  let targets: UnsafePointer<Int32>
  let sources: UnsafePointer<Int32>
  let count: Int
}

/// A result that an aggregate has no value for, by its position among the slots emitted.
struct ResultFailure {
  let position: Int
  let reason: String
}

/// The state of one aggregate call, a field in every group's record and whatever of varying size that refers to.
///
/// A record of zeros is the empty aggregate. Partial aggregates of the same rows combine to the whole with `merge`, so a
/// group can be kept in pieces: in memory, as bytes (`encode`, `decode`), or both. Methods work on many slots at once, so
/// that the one dynamic call is paid per batch. Rows given to `update` all take part: nulls and filtered rows are gone.
protocol Accumulator: AnyObject {
  func update(_ records: RecordArea, _ rows: RowSelection, _ input: AccumulatorInput)
  /// `other` is of the same class and call.
  func merge(_ records: RecordArea, _ pairs: SlotPairs, from other: any Accumulator, _ otherRecords: RecordArea)
  /// Appends each slot's value to `builder`, null for failures.
  func emit(
    _ records: RecordArea, _ slots: UnsafeBufferPointer<Int32>, into builder: ColumnBuilder
  ) -> [ResultFailure]
  func encode(_ records: RecordArea, _ slot: Int32, to writer: inout StateWriter)
  /// Reads what `encode` wrote into an empty record.
  func decode(_ records: RecordArea, _ slot: Int32, from reader: inout StateReader) throws(StateError)
  /// Whether records refer to anything outside them.
  var needsRelease: Bool { get }
  /// Lets go of what the record refers to, before it is zeroed.
  func release(_ records: RecordArea, _ slot: Int32)
  /// Bytes held outside the records.
  var auxiliarySizeBytes: Int { get }
}

extension Accumulator {
  var needsRelease: Bool { false }
  func release(_ records: RecordArea, _ slot: Int32) {}
  var auxiliarySizeBytes: Int { 0 }
}

/// Where one call's fields lie in the record, and how to make its accumulator.
struct AccumulatorField {
  let function: AggregateFunction
  let argumentType: DataType
  let resultType: DataType
  let offset: Int
  let flag: Int

  init(_ call: AggregateCall, _ layout: inout RecordLayout) {
    function = call.function
    argumentType = call.argument?.type ?? .int64
    resultType = call.type
    offset = layout.words(AccumulatorField.words(call.function, argumentType))
    flag = AccumulatorField.needsFlag(call.function) ? layout.flag() : 0
  }

  private static func words(_ function: AggregateFunction, _ argument: DataType) -> Int {
    let value = argument.layout == .int128 || argument.layout == .view ? 2 : 1
    switch function {
    case .countAll, .count: return 1
    case .sum where argument == .double: return ReproducibleSum.words
    case .avg where argument == .double: return ReproducibleSum.words + 1
    case .countDistinct, .sum: return 2
    case .avg: return 3
    case .stddevPop: return DeviationAccumulator.words
    case .min, .max: return value
    case .first, .last: return 2 + value
    }
  }

  private static func needsFlag(_ function: AggregateFunction) -> Bool {
    switch function {
    case .sum, .min, .max, .first, .last: true
    default: false
    }
  }

  func makeAccumulator() -> any Accumulator {
    let isDouble = argumentType == .double
    switch function {
    case .countAll, .count: return CountAccumulator(offset: offset)
    case .countDistinct: return DistinctAccumulator(offset: offset, type: argumentType)
    case .sum where isDouble: return DoubleSumAccumulator(offset: offset, flag: flag)
    case .sum: return SumAccumulator(offset: offset, flag: flag, type: resultType)
    case .avg where isDouble: return DoubleAverageAccumulator(offset: offset)
    case .avg: return AverageAccumulator(offset: offset, argument: argumentType, result: resultType)
    case .stddevPop: return DeviationAccumulator(offset: offset)
    case .min, .max: return extremum(wantsGreatest: function == .max)
    case .first, .last:
      return FirstLastAccumulator(offset: offset, flag: flag, type: argumentType, wantsLast: function == .last)
    }
  }

  private func extremum(wantsGreatest: Bool) -> any Accumulator {
    if argumentType.layout == .view {
      return TextExtremumAccumulator(offset: offset, flag: flag, wantsGreatest: wantsGreatest)
    }
    return ExtremumAccumulator(offset: offset, flag: flag, type: argumentType, wantsGreatest: wantsGreatest)
  }
}
