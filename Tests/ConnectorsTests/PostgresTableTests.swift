import Operators
import PostgresClient
import StreamModel
import Testing

@testable import Connectors

/// Laws of a table in PostgreSQL, on a real server.
@Suite(.serialized) struct PostgresTableTests {
  static let layout = TableLayout(
    schema: Schema([
      Field("base", .string, nullable: false), Field("market", .int64, nullable: false),
      Field("valid_from", .timestamp, nullable: false), Field("valid_to", .timestamp),
      Field("rate", .decimal(precision: 38, scale: 20), nullable: false), Field("source", .string),
      Field("isOpen", .boolean),
    ]), key: [0, 1], validity: .init(from: 2, to: 3), taken: [4, 5, 6], givesNulls: false)

  static func client(
    _ server: PostgresServer, _ source: PostgresTableSpec.Source = .table("billing.rates"),
    timeoutMilliseconds: Int64 = 10_000
  ) -> PostgresTableClient {
    var spec = PostgresTableSpec(connection: server.connection, source: source)
    spec.timeoutMilliseconds = timeoutMilliseconds
    return PostgresTableClient(spec, place: "steps.priced.lookup.table", layout: layout)
  }

  static func rows(
    _ client: PostgresTableClient, _ base: String = "EUR", _ market: Int64 = 1
  ) -> Result<[[Value]], TableFailure> {
    do throws(TableFailure) {
      let batch = try client.rows(of: [.string(base), .int64(market)])
      return .success(
        (0..<batch.count).map { row in (2..<layout.schema.count).map { batch.columns[$0].value(at: row) } })
    } catch {
      return .failure(error)
    }
  }

  static func server() throws -> PostgresServer {
    let server = try PostgresServer()
    try server.execute("create schema billing")
    try server.execute(
      "create table billing.rates (base text, market bigint, valid_from timestamptz, valid_to timestamptz, rate numeric(38,20), source text, \"isOpen\" boolean)"
    )
    try server.execute(
      """
      insert into billing.rates values
        ('EUR', 1, '2026-01-01T00:00:00Z', '2026-01-01T12:00:00.250Z', 123456789012345678.12345678901234567890, 'a "b" ✓', true),
        ('EUR', 1, '2026-01-01T12:00:00.250Z', null, 1.5, null, false),
        ('it''s', 1, '2026-01-01T00:00:00Z', null, 2, 'quoted', null),
        ('BAD', 1, '2026-01-01T00:00:00Z', null, null, 'no rate', null)
      """)
    return server
  }

  @Test func rowsOfAKeyComeAsTheyAre_fromATableOrAQuery() throws {
    let server = try Self.server()
    let eur: [[Value]] = [
      [
        .timestamp(1_767_225_600_000), .timestamp(1_767_268_800_250),
        .decimal(12_345_678_901_234_567_812_345_678_901_234_567_890, scale: 20), .string("a \"b\" ✓"), .boolean(true),
      ],
      [.timestamp(1_767_268_800_250), .null, .decimal(150_000_000_000_000_000_000, scale: 20), .null, .boolean(false)],
    ]
    let query = "select * from billing.rates where base = $1 and market = $2 order by valid_from"
    for client in [Self.client(server), Self.client(server, .query(query))] {
      defer { client.close() }
      #expect(Self.rows(client) == .success(eur))
      #expect(Self.rows(client, "EUR", 2) == .success([]) && Self.rows(client, "x' or 'a' = 'a") == .success([]))
      #expect((try Self.rows(client, "it's").get()).count == 1)
      guard case .failure(let failure) = Self.rows(client, "BAD") else {
        Issue.record("it was answered")
        return
      }
      #expect(failure.kind == .wrong && failure.description.contains("rate"), "\(failure)")
    }
  }

  @Test func whatTheServerRefusesIsWrong_andWhatTakesTooLongMayPass() throws {
    let server = try Self.server()
    let absent = Self.client(server, .table("billing.rats"))
    defer { absent.close() }
    guard case .failure(let refused) = Self.rows(absent) else {
      Issue.record("it was answered")
      return
    }
    #expect(refused.kind == .wrong && refused.description.contains("billing.rats"), "\(refused)")
    let slow = Self.client(
      server, .query("select r.* from billing.rates r, pg_sleep(60) where base = $1 and market = $2"),
      timeoutMilliseconds: 100)
    defer { slow.close() }
    guard case .failure(let late) = Self.rows(slow) else {
      Issue.record("it was answered")
      return
    }
    #expect(late.kind == .unavailable && late.description.contains("statement timeout"), "\(late)")
  }

  @Test func aServerThatGoesAndComesBack_isAskedAgain() throws {
    let server = try Self.server()
    let client = Self.client(server)
    defer { client.close() }
    #expect((try Self.rows(client).get()).count == 2)
    server.stop()
    for _ in 0..<2 {
      guard case .failure(let failure) = Self.rows(client) else {
        Issue.record("it was answered")
        return
      }
      #expect(failure.kind == .unavailable, "\(failure)")
    }
    try server.start()
    #expect((try Self.rows(client).get()).count == 2)
  }
}
