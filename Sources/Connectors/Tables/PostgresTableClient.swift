import Formats
import Operators
import PostgresClient
import StreamModel
import Synchronization

/// `connector: postgres` as a table: a table or a query, asked by key.
package struct PostgresTableSpec: Sendable {
  package enum Source: Sendable {
    /// A table or view, perhaps with its schema: `billing.rates`.
    case table(String)
    /// A query with the key's columns as `$1`, `$2` …
    case query(String)
  }

  /// libpq's connection string or URI; it may hold a password.
  package let connection: String
  package let source: Source
  package var timeoutMilliseconds: Int64 = 5_000
  package var retry = RetryPolicy()
  package var breaker = BreakerPolicy()

  package init(connection: String, source: Source) {
    self.connection = connection
    self.source = source
  }
}

/// Asks a PostgreSQL server for the rows of a key: one statement a key, on as many connections as requests are under way at once.
///
/// The server writes each row as JSON, so that its values become columns by the rules of JSON: numerics digit by digit, `timestamptz`
/// with its zone. A `timestamp` without one is refused, as it is anywhere.
final class PostgresTableClient: TableClient {
  private let spec: PostgresTableSpec
  private let place: String
  private let statement: String
  private let decoder: TableRowDecoder
  private let pool = Mutex(Pool())

  private struct Pool {
    var idle: [PostgresConnection] = []
    var busy: [ObjectIdentifier: PostgresCanceller] = [:]
    var isClosed = false
  }

  init(_ spec: PostgresTableSpec, place: String, layout: TableLayout) {
    self.spec = spec
    self.place = place
    decoder = TableRowDecoder(layout, place: place)
    statement = PostgresTableClient.statement(spec.source, layout)
  }

  private static func statement(_ source: PostgresTableSpec.Source, _ layout: TableLayout) -> String {
    switch source {
    case .query(let text): return "select to_jsonb(weir_row) from (\(text)) weir_row"
    case .table(let name):
      let conditions = layout.key.enumerated().map { number, column in
        "\(quoted(layout.schema[column].name)) = $\(number + 1)"
      }
      let columns = layout.schema.fields.indices.filter { !layout.key.contains($0) }
        .map { quoted(layout.schema[$0].name) }
      let table = name.split(separator: ".").map { quoted(String($0)) }.joined(separator: ".")
      return
        "select to_jsonb(weir_row) from (select \(columns.joined(separator: ", ")) from \(table) where \(conditions.joined(separator: " and "))) weir_row"
    }
  }

  private static func quoted(_ name: String) -> String { "\"\(name.replacing("\"", with: "\"\""))\"" }

  func rows(of key: [Value]) throws(TableFailure) -> RecordBatch {
    let connection = try take()
    let found: [[String?]]
    do {
      found = try connection.query(statement, key.map { $0 == .null ? nil : $0.plainText })
      giveBack(connection)
    } catch {
      giveBack(connection)
      throw TableFailure(error.isRetriable ? .unavailable : .wrong, "\(place): \(error)")
    }
    return try decoder.decode(
      found.map { "\($0.first.flatMap { $0 } ?? "null")\n" }.joined(), count: found.count, of: "the row")
  }

  private func take() throws(TableFailure) -> PostgresConnection {
    let idle = pool.withLock { pool -> PostgresConnection? in
      let connection = pool.idle.popLast()
      if let connection { pool.busy[ObjectIdentifier(connection)] = connection.canceller }
      return connection
    }
    if let idle { return idle }
    do {
      let connection = try PostgresConnection(spec.connection, timeoutMilliseconds: spec.timeoutMilliseconds)
      let isClosed = pool.withLock { pool in
        pool.busy[ObjectIdentifier(connection)] = connection.canceller
        return pool.isClosed
      }
      if isClosed { throw TableFailure(.unavailable, "\(place): the job ends") }
      return connection
    } catch let error as PostgresError {
      throw TableFailure(.unavailable, "\(place): the database does not answer: \(error)")
    } catch let error as TableFailure {
      throw error
    } catch {
      throw TableFailure(.unavailable, "\(place): \(error)")
    }
  }

  private func giveBack(_ connection: PostgresConnection) {
    pool.withLock { pool in
      pool.busy[ObjectIdentifier(connection)] = nil
      if connection.isUsable, !pool.isClosed { pool.idle.append(connection) }
    }
  }

  func close() {
    let busy = pool.withLock { pool in
      pool.isClosed = true
      pool.idle = []
      return Array(pool.busy.values)
    }
    for canceller in busy { canceller.cancel() }
  }
}
