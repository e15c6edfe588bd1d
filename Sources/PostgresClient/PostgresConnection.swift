import CPostgres

/// One connection to a PostgreSQL server (libpq, https://www.postgresql.org/docs/15/libpq.html). Calls block. One owner at a time.
///
/// Invariant for `Sendable`: one thread at a time uses it; libpq allows that the threads differ.
package final class PostgresConnection: @unchecked Sendable {
  private let handle: OpaquePointer

  /// Connects with a connection string or URI (`host=… dbname=…`, `postgresql://…`). What it leaves open comes from libpq's
  /// environment variables. `timeoutMilliseconds` bounds the connecting, in whole seconds of at least two (libpq's own bound), each
  /// statement (the server cancels it), and how long sent bytes may go unacknowledged.
  package init(_ connection: String, timeoutMilliseconds: Int64) throws(PostgresError) {
    let seconds = max(2, (timeoutMilliseconds + 999) / 1000)
    // What stands behind `dbname` when it is expanded overrides it, so the bounds come first and the user may set others.
    let settings: [(String, String)] = [
      ("connect_timeout", "\(seconds)"), ("tcp_user_timeout", "\(timeoutMilliseconds)"),
      ("options", "-c statement_timeout=\(timeoutMilliseconds)"), ("application_name", "weir"),
      ("client_encoding", "UTF8"), ("dbname", connection),
    ]
    handle = PostgresConnection.connect(settings)
    guard PQstatus(handle) == CONNECTION_OK else {
      // What is thrown from here ends in `deinit`, which closes the handle.
      throw PostgresError(PostgresConnection.line(PQerrorMessage(handle)), code: "", isRetriable: true)
    }
  }

  deinit { PQfinish(handle) }

  private static func connect(_ settings: [(String, String)]) -> OpaquePointer {
    let names = settings.map { copied($0.0) }
    let values = settings.map { copied($0.1) }
    defer { for text in names + values { text.deallocate() } }
    let keys = names.map { Optional(UnsafePointer($0)) } + [nil]
    let texts = values.map { Optional(UnsafePointer($0)) } + [nil]
    guard let handle = PQconnectdbParams(keys, texts, 1) else { fatalError("out of memory: no connection") }
    return handle
  }

  private static func copied(_ text: String) -> UnsafeMutablePointer<CChar> {
    let bytes = text.utf8CString
    let copy = UnsafeMutablePointer<CChar>.allocate(capacity: bytes.count)
    _ = UnsafeMutableBufferPointer(start: copy, count: bytes.count).initialize(from: bytes)
    return copy
  }

  /// A message without its line ends.
  private static func line(_ text: UnsafePointer<CChar>?) -> String {
    guard let text else { return "" }
    return String(cString: text).split(separator: "\n").map { $0.drop { $0 == " " || $0 == "\t" } }.joined(
      separator: ": ")
  }

  /// Whether the connection can be used again.
  package var isUsable: Bool {
    PQstatus(handle) == CONNECTION_OK && PQtransactionStatus(handle) == PQTRANS_IDLE
  }

  /// Runs one statement with parameters `$1`, `$2` … in text form; the result's rows, each with the text of its columns.
  package func query(_ statement: String, _ parameters: [String?]) throws(PostgresError) -> [[String?]] {
    let copies = parameters.map { $0.map(PostgresConnection.copied) }
    defer { for copy in copies { copy?.deallocate() } }
    let values = copies.map { $0.map { UnsafePointer($0) } }
    let result = PQexecParams(handle, statement, Int32(values.count), nil, values, nil, nil, 0)
    defer { PQclear(result) }
    switch PQresultStatus(result) {
    case PGRES_TUPLES_OK, PGRES_COMMAND_OK: break
    default: throw failure(result)
    }
    return (0..<PQntuples(result)).map { row in
      (0..<PQnfields(result)).map { column in
        PQgetisnull(result, row, column) == 1 ? nil : PQgetvalue(result, row, column).map { String(cString: $0) }
      }
    }
  }

  private func failure(_ result: OpaquePointer?) -> PostgresError {
    let code = PQresultErrorField(result, Int32(UInt8(ascii: "C"))).map { String(cString: $0) } ?? ""
    let message = PostgresConnection.line(result == nil ? PQerrorMessage(handle) : PQresultErrorMessage(result))
    return PostgresError(message, code: code, isRetriable: PostgresConnection.mayPass(code))
  }

  /// By SQLSTATE class: connections, lack of resources, an operator's intervention (a statement cancelled for its time among
  /// them), system errors, and transactions that lost to another.
  private static func mayPass(_ code: String) -> Bool {
    code.isEmpty || ["08", "53", "57", "58", "40"].contains(String(code.prefix(2)))
  }

  /// Asks the server to end what is under way; from any thread.
  package var canceller: PostgresCanceller { PostgresCanceller(handle) }
}

/// Ends the statement that a connection is running.
///
/// Invariant for `Sendable`: a cancel handle never changes, and PQcancel is thread-safe.
package final class PostgresCanceller: @unchecked Sendable {
  private let handle: OpaquePointer?

  fileprivate init(_ connection: OpaquePointer) { handle = PQgetCancel(connection) }

  deinit { PQfreeCancel(handle) }

  package func cancel() {
    var reason = [CChar](repeating: 0, count: 256)
    _ = PQcancel(handle, &reason, Int32(reason.count))
  }
}
