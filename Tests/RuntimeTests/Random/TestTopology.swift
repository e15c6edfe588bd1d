import Operators
import StreamModel

/// A random topology with its input: what is written as YAML and files, and what the reference model works out.
struct TestTopology {
  var name: String
  var sources: [TestSource]
  var steps: [TestStep] = []
  var sinks: [TestSink] = []
}

struct TestSource {
  enum Format { case json, csv }
  let name: String
  let format: Format
  let fields: [Field]
  /// The event-time column.
  let eventTime: Int
  let delay: Int64
  /// `order: name`.
  let isOnePartition: Bool
  /// `on_error: dead_letter`, as opposed to `skip`.
  let reportsErrors: Bool
  /// In the order of their names.
  var files: [InputFile]
}

struct TestStep {
  let name: String
  let inputs: [StreamName]
  var rightInputs: [StreamName] = []
  let operation: TestOperation
  let inputFields: [Field]
  /// A filter that leaves of each result the one that comes once.
  var choosesPane = false
}

enum TestOperation {
  case filter(TestExpression)
  /// `select`, or `extend` where `keepsColumns`.
  case project([ProjectedColumn], keepsColumns: Bool)
  /// `isInterleaved`: its rows come from several readers or subtasks.
  case deduplicate(key: [Int], within: Int64, isInterleaved: Bool)
  case aggregate(TestAggregateStep)
  case join(TestJoin)

  /// Whether a result may be given several times, depending on timing.
  var repeatsResults: Bool {
    if case .aggregate(let step) = self { return step.window == nil || step.hasPane }
    return false
  }
}

struct ProjectedColumn {
  let name: String
  let expression: TestExpression
  /// The column of the input it takes the place of, in an `extend`.
  var replaces: Int?
}

struct TestAggregateStep {
  let key: [Int]
  /// Nil for a running aggregate.
  let window: TestWindow?
  let values: [TestAggregate]
  var lateness: Int64 = 0
  /// Wall-clock ms: `emit.early`, or `emit.every` without a window.
  var emitEvery: Int64?

  var hasPane: Bool { window != nil && (lateness > 0 || emitEvery != nil) }
}

struct TestJoin {
  let isLeft: Bool
  let leftKey: [Int]
  let rightKey: [Int]
  let lower: Int64
  let upper: Int64
  let rightColumns: [Int]
  let rightFields: [Field]
}

struct TestSink {
  let name: String
  let inputs: [StreamName]
  let format: TestSource.Format
  let fields: [Field]
  let promise: Promise

  /// What holds of the rows of a stream, whatever the timing.
  enum Promise {
    /// These rows.
    case exact
    /// The last row of each key and window, but for its `pane`. Sessions that grew may have been reported before.
    case final(key: [Int], pane: Int, isSession: Bool)
    /// The last row of each key.
    case latest(key: [Int])
  }
}

// MARK: Input

/// One file of a source.
struct InputFile {
  let name: String
  /// A byte-order mark, a CSV header.
  let prologue: [UInt8]
  var records: [InputRecord]
  /// Whether the last record ends with a line feed.
  let isTerminated: Bool
}

struct InputRecord {
  enum Outcome {
    case row([Value])
    case undecodable
    /// Skipped, and not counted.
    case blank
  }
  /// Without the line feed.
  let bytes: [UInt8]
  let outcome: Outcome
}

extension InputFile {
  /// A record and where it starts.
  struct PlacedRecord {
    let offset: Int64
    let bytes: [UInt8]
    let outcome: InputRecord.Outcome
  }

  /// The records that count, with their places.
  var placedRecords: [PlacedRecord] {
    var offset = prologue.count
    var placed: [PlacedRecord] = []
    for record in records {
      if case .blank = record.outcome {
      } else {
        placed.append(PlacedRecord(offset: Int64(offset), bytes: record.bytes, outcome: record.outcome))
      }
      offset += record.bytes.count + 1
    }
    return placed
  }

  var bytes: [UInt8] {
    var bytes = prologue + records.flatMap { $0.bytes + [10] }
    if !isTerminated && !records.isEmpty { bytes.removeLast() }
    return bytes
  }
}
