import Connectors
import Operators
import Topology

/// The tables that a job's lookups look in: one a step, shared by all its subtasks.
struct LookupTables: Sendable {
  private let tables: [(step: String, table: any LookupTable)]

  /// Opens every table of `plan`: throws where one is not there or faulty. What somebody should know later goes to `notice`.
  init(_ plan: LogicalPlan, notice: @escaping @Sendable (String) -> Void) throws(JobError) {
    var tables: [(step: String, table: any LookupTable)] = []
    for step in plan.steps {
      guard case .lookup(let spec, let connector) = step.operation else { continue }
      do {
        tables.append((step.name, try connector.makeTable(step: step.name, spec: spec, notice: notice)))
      } catch {
        throw .connector(error)
      }
    }
    self.tables = tables
  }

  /// The table of a step, which is a lookup of the plan.
  subscript(step: String) -> any LookupTable {
    guard let found = tables.first(where: { $0.step == step }) else { preconditionFailure("\(step) is no lookup") }
    return found.table
  }

  var counters: [(step: String, counters: LookupCounters)] { tables.map { ($0.step, $0.table.counters) } }

  /// What the tables' own threads run; each returns after `close`.
  var workers: [(name: String, work: @Sendable () -> Void)] {
    tables.flatMap { step, table in
      (0..<table.workerCount).map { number -> (name: String, work: @Sendable () -> Void) in
        ("lookup-\(step)-\(number)", { table.work() })
      }
    }
  }

  /// Ends every wait.
  func close() { for (_, table) in tables { table.close() } }
}
