import Connectors
import Expressions
import Formats
import Operators
import StreamModel

/// Checks the `table:` of a lookup.
struct TableChecker {
  let item: Item
  let base: String
  /// The stream's columns that the key is made of, in its order; nil where a fault leaves them unknown.
  let keyNames: [String]?

  func check(notes: inout [String]) -> TableConnector? {
    guard let section = item.openSection(expected: "{connector: file, path: rates.csv, format: csv}") else {
      return nil
    }
    let connector = ConnectorLanguage.read(
      section, among: ConnectorLanguage.tables, common: ConnectorLanguage.tableKeys, notes: &notes)
    switch connector?.name {
    case "file": return file(section)
    case "http": return http(section)
    case "postgres": return postgres(section)
    case "kafka": return KafkaChecker(section: section, base: base).table()
    default: return nil
    }
  }

  /// `check:`, over the table's columns.
  func condition(over schema: Schema) -> ScalarExpression?? {
    guard let item = item.peek("check") else { return .some(nil) }
    guard let condition = ExpressionText.scalar(item, over: StreamShape(schema: schema, hasEventTime: false)) else {
      return nil
    }
    guard condition.type == .boolean else {
      item.fault("the condition is \(condition.type), not boolean", "compare it with something, as in `rate > 0`")
      return nil
    }
    return .some(condition)
  }

  private func file(_ section: Section) -> TableConnector? {
    let format = readFormat(section)
    guard let item = section.required("path", "the table's file: path: rates.csv"),
      let path = PathText.read(item, relativeTo: base), let format
    else { return nil }
    return .file(FileTableSpec(path: path, format: format))
  }

  /// As it is said, or else as the file's name ends.
  private func readFormat(_ section: Section) -> Format? {
    let checker = FormatChecker(section: section, base: base)
    let endings = [".csv", ".csv.gz", ".csv.zst"]
    guard section["format"] == nil, case .scalar(let path)? = section["path"]?.node.content,
      endings.contains(where: path.text.hasSuffix)
    else { return checker.read(allowed: ["json", "csv"]) }
    return checker.csv()
  }

  // MARK: HTTP

  private func http(_ section: Section) -> TableConnector? {
    if let format = section["format"], format.choice(["json"]) == nil { return nil }
    let address = section.required("url", "the service's address: url: \"http://rates/latest?base={currency}\"")
      .flatMap(readAddress)
    let asking = readAsking(section)
    let headers = section["headers"].map(readHeaders) ?? []
    let rows = section["rows"].map { $0.scalar("names such as data.rates").flatMap(path) } ?? []
    let columns = section["columns"].map(readColumns) ?? [:]
    guard let address, let asking, let headers, let rows, let columns else { return nil }
    var spec = HTTPTableSpec(url: address)
    spec.timeoutMilliseconds = asking.timeout ?? spec.timeoutMilliseconds
    spec.retry = asking.retry
    spec.breaker = asking.breaker
    spec.headers = headers
    spec.rows = rows
    spec.columns = columns
    return .http(spec)
  }

  private struct Asking {
    let timeout: Int64?
    let retry: RetryPolicy
    let breaker: BreakerPolicy
  }

  /// What all tables have that are asked; nil where it is faulty.
  private func readAsking(_ section: Section) -> Asking? {
    let timeout = section["timeout"].map { $0.duration(atLeast: 1) }
    let retry = section["retry"].map(readRetry) ?? RetryPolicy()
    let breaker = section["breaker"].map(readBreaker) ?? BreakerPolicy()
    guard timeout != .some(nil), let retry, let breaker else { return nil }
    return Asking(timeout: timeout ?? nil, retry: retry, breaker: breaker)
  }

  // MARK: PostgreSQL

  private func postgres(_ section: Section) -> TableConnector? {
    let connection = section.required("connection", "where the database is: connection: \"host=db dbname=billing\"")
      .flatMap { $0.scalar("libpq's connection string or URI") }
    let asking = readAsking(section)
    guard let source = readSource(section), let connection, let asking else { return nil }
    guard section["format"] == nil else {
      section["format"]?.keyFault("belongs to a file, not to postgres", "remove it")
      return nil
    }
    var spec = PostgresTableSpec(connection: connection.text, source: source)
    spec.timeoutMilliseconds = asking.timeout ?? spec.timeoutMilliseconds
    spec.retry = asking.retry
    spec.breaker = asking.breaker
    return .postgres(spec)
  }

  private func readSource(_ section: Section) -> PostgresTableSpec.Source? {
    if let item = section["query"] {
      section["table"]?.keyFault("stands beside `query`", "leave one of them")
      guard section["table"] == nil,
        let scalar = item.scalar("a query such as select rate from rates where base = {currency}"),
        let template = template(scalar.text, item)
      else { return nil }
      let parts = template.parts.map { part in
        switch part {
        case .text(let text): text
        case .key(let number): "$\(number + 1)"
        }
      }
      if let unused = unused(template) {
        item.fault(
          "the query does not depend on `\(unused)`, which `on` names",
          "put {\(unused)} into it, or take the column out of `on`")
        return nil
      }
      return .query(parts.joined())
    }
    return section.required("table", "the table's name, or a query: table: billing.rates")
      .flatMap { $0.scalar("a table's name") }.map { .table($0.text) }
  }

  /// A column of the key that a template leaves out.
  private func unused(_ template: HTTPTableSpec.Template) -> String? {
    let used = template.parts.compactMap { if case .key(let number) = $0 { number } else { nil } }
    guard let keyNames else { return nil }
    return keyNames.indices.first { !used.contains($0) }.map { keyNames[$0] }
  }

  private func readAddress(_ item: Item) -> HTTPTableSpec.Template? {
    guard let scalar = item.scalar("an address such as http://rates/latest?base={currency}") else { return nil }
    guard ["http://", "https://"].contains(where: scalar.text.hasPrefix) else {
      item.fault("`\(scalar.shown)` is no HTTP address", "begin it with http:// or https://")
      return nil
    }
    guard let template = template(scalar.text, item) else { return nil }
    if let unused = unused(template) {
      item.fault(
        "the address does not depend on `\(unused)`, which `on` names",
        "put {\(unused)} into it, or take the column out of `on`")
      return nil
    }
    return template
  }

  /// Text with names of key columns in braces.
  private func template(_ text: String, _ item: Item) -> HTTPTableSpec.Template? {
    var parts: [HTTPTableSpec.Template.Part] = []
    var rest = text[...]
    while let open = rest.firstIndex(of: "{") {
      guard let close = rest[open...].firstIndex(of: "}") else {
        item.fault("a `{` is not closed", "write names of the stream's columns in braces: {currency}")
        return nil
      }
      let name = String(rest[rest.index(after: open)..<close])
      if open > rest.startIndex { parts.append(.text(String(rest[..<open]))) }
      rest = rest[rest.index(after: close)...]
      guard let keyNames else { continue }
      guard let number = keyNames.firstIndex(of: name) else {
        let mend = NearestName.suggestion(
          for: name, among: keyNames, otherwise: "write one of \(Shown.alternatives(keyNames))")
        item.fault("`{\(Shown.text(name))}` is no column of the stream that `on` names", mend)
        return nil
      }
      parts.append(.key(number))
    }
    if !rest.isEmpty { parts.append(.text(String(rest))) }
    return HTTPTableSpec.Template(parts: parts, text: text)
  }

  private func path(_ scalar: DocumentScalar) -> [HTTPTableSpec.Template]? {
    let names = scalar.text.split(separator: ".", omittingEmptySubsequences: false).map {
      $0.isEmpty ? nil : template(String($0), item)
    }
    let found = names.compactMap { $0 }
    if found.count < names.count {
      item.fault("`\(scalar.shown)` is no path", "write names with a dot between: data.rate")
    }
    return found.count == names.count ? found : nil
  }

  private func readColumns(_ item: Item) -> [String: [HTTPTableSpec.Template]]? {
    guard let section = item.openSection(expected: "columns and where they stand: {rate: rates.EUR}") else {
      return nil
    }
    var columns: [String: [HTTPTableSpec.Template]] = [:]
    for (name, item) in section.items {
      guard let place = item.scalar("names such as rates.EUR").flatMap(path) else { return nil }
      columns[name] = place
    }
    return columns
  }

  /// Whether `columns:` names only columns that are read.
  func checkPlaces(_ read: [String]) -> Bool {
    guard let section = item.peek("columns")?.openSection(expected: "") else { return true }
    let unknown = section.items.filter { !read.contains($0.name) }
    for (name, item) in unknown {
      item.keyFault(
        "`\(Shown.text(name))` is not taken",
        NearestName.suggestion(for: name, among: read, otherwise: "take it, or remove this"))
    }
    return unknown.isEmpty
  }

  private func readHeaders(_ item: Item) -> [(name: String, value: String)]? {
    guard let section = item.openSection(expected: "{Authorization: \"Bearer ${TOKEN}\"}") else { return nil }
    var headers: [(name: String, value: String)] = []
    for (name, item) in section.items {
      guard let value = item.scalar("a header's value") else { return nil }
      guard !value.text.utf8.contains(where: { $0 < 0x20 }), !name.utf8.contains(where: { $0 <= 0x20 || $0 == 0x3A })
      else {
        item.fault("is no header", "write its name and one line of text")
        return nil
      }
      headers.append((name, value.text))
    }
    return headers
  }

  private func readRetry(_ item: Item) -> RetryPolicy? {
    guard let section = item.section(["attempts", "backoff"], expected: "{attempts: 3, backoff: 100ms}") else {
      return nil
    }
    var retry = RetryPolicy()
    let attempts = section["attempts"].map { $0.integer(in: 1...100) }
    let backoff = section["backoff"].map { $0.duration() }
    guard attempts != .some(nil), backoff != .some(nil) else { return nil }
    if let attempts = attempts ?? nil { retry.attempts = Int(attempts) }
    if let backoff = backoff ?? nil { retry.backoffMilliseconds = backoff }
    return retry
  }

  private func readBreaker(_ item: Item) -> BreakerPolicy? {
    guard let section = item.section(["failures", "pause"], expected: "{failures: 5, pause: 5s}") else { return nil }
    var breaker = BreakerPolicy()
    let failures = section["failures"].map { $0.integer(in: 1...1_000_000) }
    let pause = section["pause"].map { $0.duration(atLeast: 1) }
    guard failures != .some(nil), pause != .some(nil) else { return nil }
    if let failures = failures ?? nil { breaker.failures = Int(failures) }
    if let pause = pause ?? nil { breaker.pauseMilliseconds = pause }
    return breaker
  }
}
