import Connectors
import Expressions
import Formats
import Operators
import StreamModel

/// A checked topology: everything is resolved and typed, nothing is started.
package struct LogicalPlan: Sendable {
  package var name: String
  package var description: String
  /// Absolute path of the file it was read from.
  package var file: String
  package var parallelism: Int
  package var checkpoint: CheckpointSettings
  package var stateMemoryBytes: Int
  package var restart: RestartSettings
  /// Where dead letters go; the default is a directory beside the job's checkpoints.
  package var deadLetters: SinkPlan
  package var sources: [SourcePlan]
  /// In an order in which every step comes after its inputs.
  package var steps: [StepPlan]
  package var sinks: [SinkPlan]
  package var views: [ViewPlan]
  /// What the reader of a plan should know: settings that were left aside because `--set` chose another connector.
  package var notes: [String]

  /// Everything that reads a step or source, by what it reads: `explain`, and whether a port flows to the dead letters.
  package func readers(of reference: StreamReference) -> [String] {
    steps.filter { ($0.inputs + $0.rightInputs).contains(reference) }.map(\.name)
      + sinks.filter { $0.inputs.contains(reference) }.map(\.name)
      + views.filter { $0.input == reference }.map(\.name)
  }
}

package struct CheckpointSettings: Hashable, Sendable {
  package var intervalMilliseconds: Int64 = 10_000
  /// Absolute.
  package var directory: String
  package var retain = 3
  package var timeoutMilliseconds: Int64 = 600_000
  package var minPauseMilliseconds: Int64 = 0
}

package struct RestartSettings: Hashable, Sendable {
  package var attempts = 10
  package var initialBackoffMilliseconds: Int64 = 1_000
  package var maxBackoffMilliseconds: Int64 = 60_000
  package init() {}
}

/// What becomes of a record that does not decode, or a row that cannot be evaluated.
package enum ErrorPolicy: String, Hashable, Sendable {
  case deadLetter = "dead_letter"
  case skip
  case fail
}

/// A stream by name: the main output of a source or step, or one of its side ports.
package struct StreamReference: Hashable, Sendable, CustomStringConvertible {
  package let producer: String
  package let port: SidePort?
  package init(producer: String, port: SidePort? = nil) {
    self.producer = producer
    self.port = port
  }
  package var description: String { port.map { "\(producer).\($0.rawValue)" } ?? producer }
}

package struct SourcePlan: Sendable {
  package var name: String
  package var connector: SourceConnector
  package var format: Format
  /// What is decoded.
  package var decodedSchema: Schema
  /// `timestamp(epoch_s)`: decoded columns whose integer JSON/CSV values are seconds.
  package var epochSecondColumns: Set<Int>
  /// Columns added to the decoded ones by `computed:`; each is an expression over `decodedSchema`.
  package var computed: [ScalarExpression]
  /// The decoded columns, those of `message`, then the computed ones.
  package var outputSchema: Schema
  /// The event-time column in `outputSchema`; nil for a stream without event time.
  package var eventTime: Int?
  package var watermarkDelayMilliseconds: Int64
  package var idleAfterMilliseconds: Int64?
  package var onError: ErrorPolicy
  /// Rows per second at most; nil for no bound.
  package var rate: Double?
  /// Columns of what a record has beside its value: its key, headers and place.
  package var metadata: [Field] = []
}

package enum Operation: Sendable {
  case filter(ScalarExpression)
  /// `select` or `extend`.
  case project(ProjectSpec)
  case deduplicate(DeduplicateSpec)
  case aggregate(AggregateSpec)
  /// Input 0 is the left side (`from:`), input 1 the right (`with:`).
  case join(JoinSpec)
  case match(MatchSpec)
  case lookup(LookupSpec, TableConnector)
  case rate(RateSpec)
  case invoice(InvoiceSpec)
}

package struct StepPlan: Sendable {
  package var name: String
  /// `from:`; several are a union. A join has its left inputs here.
  package var inputs: [StreamReference]
  /// A join's right inputs (`with:`), empty otherwise.
  package var rightInputs: [StreamReference]
  package var operation: Operation
  package var inputSchema: Schema
  package var outputSchema: Schema
  /// Side ports and their schemas.
  package var ports: [SidePort: Schema]
  /// `dead_letter` or `fail`.
  package var onError: ErrorPolicy
}

extension StepPlan {
  /// Whether rows on port `rejected` are dead letters where nothing reads it.
  package var rejectsToDeadLetters: Bool {
    if case .rate = operation { return true }
    return false
  }
}

/// What a sink promises about rows after a crash.
package enum Delivery: String, Hashable, Sendable {
  case exactlyOnce = "exactly_once"
  case atLeastOnce = "at_least_once"
}

package struct SinkPlan: Sendable {
  package var name: String
  /// Empty for the dead letters, which come from everywhere.
  package var inputs: [StreamReference]
  package var connector: SinkConnector
  package var schema: Schema
  package var delivery: Delivery
}

/// The rows that `dead_letters` takes.
package enum DeadLetters {
  /// `record` is the original bytes in base64; what a row made by a step cannot tell is null.
  package static let schema = Schema([
    Field("topology", .string, nullable: false),
    Field("step", .string, nullable: false),
    Field("port", .string, nullable: false),
    Field("reason", .string, nullable: false),
    Field("source", .string),
    Field("partition", .string),
    Field("offset", .int64),
    Field("event_time", .timestamp),
    Field("failed_at", .timestamp, nullable: false),
    Field("record", .string),
  ])
}

/// The latest row of each key of a stream, read while the topology runs.
package struct ViewPlan: Sendable {
  package var name: String
  package var input: StreamReference
  package var schema: Schema
  package var key: [Int]
  package var hasEventTime: Bool
  /// How long after its event time, or else its arrival, a row is kept at least; nil for ever.
  package var retainMilliseconds: Int64?
  /// The column that says whose a row is: who may see one account sees its rows.
  package var account: Int?
  /// Columns shown as tokens to those who need not know them.
  package var masked: [Int]
}
