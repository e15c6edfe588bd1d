import State
import StreamModel
import TestSupport

@testable import Operators
@testable import Views

/// A view over state in memory, with as many subtasks as a test wants, and a hand on its checkpoints.
final class ViewFixture {
  static let schema = Schema([
    Field("account", .string, nullable: false), Field("service", .string), Field("hour", .timestamp),
    Field("records", .int64), Field("msisdn", .string),
  ])

  let backend = MemoryStateBackend()
  let set: ViewSet
  private(set) var operators: [ViewOperator] = []
  private var states: [OperatorState] = []
  private var store: StateStore
  private var checkpoint: Int64 = 0

  init(
    key: [Int] = [0, 1, 2], retainMilliseconds: Int64? = nil, account: Int? = 0, masked: [Int] = [4], subtasks: Int = 2
  ) throws {
    let view = ViewDefinition(
      name: "usage", schema: ViewFixture.schema, key: key, partitionKey: [key[0]],
      retainMilliseconds: retainMilliseconds, account: account, masked: masked)
    set = ViewSet([view])
    store = StateStore(backend: backend, budget: StateBudget(limitBytes: 1 << 30))
    try start(subtasks)
  }

  var view: ViewStore { self.set.stores[0] }

  /// The job begins, or begins again from its last checkpoint.
  func start(_ subtasks: Int, restored: Int64? = nil) throws {
    set.end()
    set.begin(spillFolder: nil, lastCheckpoint: checkpoint, restored: restored ?? checkpoint)
    store = StateStore(backend: backend, budget: StateBudget(limitBytes: 1 << 30), lastCheckpoint: checkpoint)
    set.publish(backend.makeReader(), checkpoint: checkpoint, isNew: false)
    operators = (0..<subtasks).map { _ in ViewOperator(view) }
    states = []
    for (index, target) in operators.enumerated() {
      let state = store.open(
        family: "views.usage view", keyGroups: KeyGroup.range(ofSubtask: index, parallelism: subtasks))
      states.append(state)
      try target.attach(state, watermark: EventTimes.minimum)
    }
  }

  struct Row {
    var account: String
    var service: String?
    var hour: Int64 = 0
    var records: Int64 = 1
    var msisdn: String? = "353871234567"
    var time: Int64?
  }

  static func batch(_ rows: [Row]) -> RecordBatch {
    let builders = schema.fields.map { ColumnBuilder($0.type) }
    let times = ColumnBuilder(.timestamp)
    for row in rows {
      builders[0].append(.string(row.account))
      builders[1].append(row.service.map { .string($0) } ?? .null)
      builders[2].append(.timestamp(row.hour))
      builders[3].append(.int64(row.records))
      builders[4].append(row.msisdn.map { .string($0) } ?? .null)
      times.append(int64: row.time ?? row.hour)
    }
    return RecordBatch(
      schema: schema, columns: builders.map { $0.finish() }, count: rows.count, eventTimes: times.finish())
  }

  /// The subtask that an account's rows go to.
  func subtask(_ account: String) -> Int {
    let encoder = KeyEncoder(keyColumns: [0])
    encoder.encode(ViewFixture.batch([Row(account: account)]))
    return KeyGroup.subtask(ofGroup: KeyGroup.of(hash: encoder.hashes[0]), parallelism: operators.count)
  }

  private let output = CapturedOutput()

  func write(_ rows: [Row]) throws {
    for index in operators.indices {
      let own = rows.filter { subtask($0.account) == index }
      if !own.isEmpty { try operators[index].process(ViewFixture.batch(own), input: 0, to: output) }
    }
  }

  func advance(to time: EventTime) throws {
    for target in operators { try target.advance(to: Watermark(time), output: output) }
  }

  /// Subtask `index` has the barrier of the next checkpoint.
  func align(_ index: Int) throws {
    _ = try operators[index].snapshot()
    states[index].seal(checkpoint + 1)
  }

  /// All subtasks have had the barrier: the checkpoint is taken, and committed.
  func commit() throws {
    checkpoint += 1
    try store.take(checkpoint, in: "")
    set.publish(backend.makeReader(), checkpoint: checkpoint, isNew: true)
  }

  func takeCheckpoint() throws {
    for index in operators.indices { try align(index) }
    try commit()
  }

  func access(_ scope: ViewScope = ViewScope()) throws -> ViewAccess { try ViewAccess(set, view, scope) }

  /// `account/service/hour=records` of rows in key order.
  func rows(_ isolation: ViewIsolation, prefix: [String] = [], limit: Int = 1000, _ scope: ViewScope = ViewScope())
    throws
    -> [String]
  {
    var rows: [String] = []
    var after: [UInt8]?
    repeat {
      let page = try access(scope).scan(prefix: prefix, after: after, limit: limit, isolation)
      rows += (0..<page.rows.count).map { ViewFixture.text(page.rows, $0) }
      after = page.next
    } while after != nil
    return rows
  }

  static func text(_ batch: RecordBatch, _ row: Int) -> String {
    let values = batch.values(at: row)
    func shown(_ value: Value) -> String {
      switch value {
      case .string(let text): text
      case .int64(let number), .timestamp(let number): "\(number)"
      default: "null"
      }
    }
    return "\(shown(values[0]))/\(shown(values[1]))/\(shown(values[2]))=\(shown(values[3]))"
  }
}
