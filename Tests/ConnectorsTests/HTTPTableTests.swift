import Expressions
import Operators
import StreamModel
import Synchronization
import TestSupport
import Testing

@testable import Connectors

/// Laws of a table behind an HTTP service.
@Suite struct HTTPTableTests {
  static let layout = TableLayout(
    schema: Schema([
      Field("base", .string, nullable: false), Field("quote", .string, nullable: false),
      Field("valid_from", .timestamp, nullable: false), Field("valid_to", .timestamp),
      Field("rate", .decimal(precision: 18, scale: 8), nullable: false), Field("source", .string),
    ]), key: [0, 1], validity: .init(from: 2, to: 3), taken: [4, 5, 2], givesNulls: false)

  static func spec(_ server: HTTPDouble, timeoutMilliseconds: Int64 = 5_000) -> HTTPTableSpec {
    var spec = HTTPTableSpec(
      url: .init(
        parts: [.text("\(server.url)/latest?base="), .key(0), .text("&quote="), .key(1)], text: "the address"))
    spec.timeoutMilliseconds = timeoutMilliseconds
    return spec
  }

  static func client(_ spec: HTTPTableSpec) -> HTTPTableClient {
    HTTPTableClient(spec, place: "steps.priced.lookup.table", layout: layout)
  }

  /// What a client makes of an answer: the taken columns of its rows, or the kind and the words of the failure.
  static func rows(_ client: HTTPTableClient, _ base: String = "EUR") -> Result<[[Value]], TableFailure> {
    do throws(TableFailure) {
      let batch = try client.rows(of: [.string(base), .string("MAD")])
      return .success((0..<batch.count).map { row in layout.taken.map { batch.columns[$0].value(at: row) } })
    } catch {
      return .failure(error)
    }
  }

  static let good = #"{"base":"EUR","valid_from":"2026-01-01T00:00:00Z","rate":10.71234567,"source":"bank","more":[1]}"#
  static let goodRow: [Value] = [
    .decimal(1_071_234_567, scale: 8), .string("bank"), .timestamp(1_767_225_600_000),
  ]

  @Test func anObjectIsARow_anArrayOneAnElement_andNothingIsNone() {
    let server = HTTPDouble { _ in .reply(status: 200, Self.good) }
    defer { server.stop() }
    let client = Self.client(Self.spec(server))
    defer { client.close() }
    #expect(Self.rows(client) == .success([Self.goodRow]))
    for (status, body, expected) in [
      (200, "[\(Self.good),\(Self.good)]", [Self.goodRow, Self.goodRow]), (200, "[]", []), (200, " null ", []),
      (204, "", []),
      (404, "{\"error\":\"unknown\"}", []),
    ] {
      server.answer { _ in .reply(status: status, body) }
      #expect(Self.rows(client) == .success(expected), "\(status) \(body)")
    }
  }

  @Test func valuesOfTheKeyAreEscapedInTheAddress_andHeadersAreSent() {
    let server = HTTPDouble { _ in .reply(status: 200, "null") }
    defer { server.stop() }
    var spec = Self.spec(server)
    spec.headers = [("Authorization", "Bearer secret")]
    let client = Self.client(spec)
    defer { client.close() }
    #expect(Self.rows(client, "a b&c=/é?") == .success([]))
    #expect(server.requests == ["/latest?base=a%20b%26c%3D%2F%C3%A9%3F&quote=MAD"])
    #expect(server.headers[0].contains("Authorization: Bearer secret"))
    #expect(server.headers[0].contains("Accept: application/json"))
  }

  @Test func anAcceptHeaderOfTheTopology_takesThePlaceOfOurs() {
    let server = HTTPDouble { _ in .reply(status: 200, "null") }
    defer { server.stop() }
    var spec = Self.spec(server)
    spec.headers = [("accept", "application/vnd.rates+json")]
    let client = Self.client(spec)
    defer { client.close() }
    #expect(Self.rows(client) == .success([]))
    #expect(server.headers[0].filter { $0.lowercased().hasPrefix("accept:") } == ["accept: application/vnd.rates+json"])
  }

  @Test func rowsAndColumnsMayStandDeeper() {
    let body = #"{"data":{"items":[{"base":"EUR","at":"2026-01-01T00:00:00Z","rates":{"MAD":10.71234567,"USD":1}}]}}"#
    let server = HTTPDouble { _ in .reply(status: 200, body) }
    defer { server.stop() }
    var spec = Self.spec(server)
    func name(_ text: String) -> HTTPTableSpec.Template { .init(parts: [.text(text)], text: text) }
    spec.rows = [name("data"), name("items")]
    spec.columns = [
      "rate": [name("rates"), .init(parts: [.key(1)], text: "{quote}")], "valid_from": [name("at")],
    ]
    let client = Self.client(spec)
    defer { client.close() }
    #expect(Self.rows(client) == .success([[Self.goodRow[0], .null, Self.goodRow[2]]]))
    spec.rows = [name("data"), name("rows")]
    let other = Self.client(spec)
    defer { other.close() }
    guard case .failure(let failure) = Self.rows(other) else {
      Issue.record("it was answered")
      return
    }
    #expect(failure.kind == .wrong && failure.description.hasSuffix("it has no data.rows"), "\(failure)")
  }

  @Test func whatIsWrongIsNoRow() {
    let server = HTTPDouble { _ in .silence }
    defer { server.stop() }
    let client = Self.client(Self.spec(server))
    defer { client.close() }
    let cases: [(HTTPDouble.Answer, TableFailure.Kind, String)] = [
      (.reply(status: 200, "<html>busy</html>"), .wrong, "no JSON at byte 0"),
      (.reply(status: 200, ""), .wrong, "no JSON at byte 0"),
      (.reply(status: 200, "12"), .wrong, "12 is no object"),
      (.reply(status: 200, "[12]"), .wrong, "12 is no object"),
      (.reply(status: 200, #"{"error":"unknown currency"}"#), .wrong, "valid_from"),
      (.reply(status: 200, Self.good.replacing("10.71234567", with: "\"high\"")), .wrong, "rate"),
      (.reply(status: 200, Self.good.replacing("10.71234567", with: "10.712345671")), .wrong, "rate"),
      (.reply(status: 200, Self.good.replacing("10.71234567", with: "null")), .wrong, "rate"),
      (.reply(status: 200, Self.good.replacing("\"EUR\"", with: "\"USD\"")), .wrong, "it is of base USD, not EUR"),
      (.reply(status: 200, String(repeating: " ", count: 1 << 20 + 1)), .wrong, "more than"),
      (.reply(status: 400, "no"), .wrong, "refuses (400): no"),
      (.reply(status: 503, "busy"), .unavailable, "fails (503): busy"),
      (.reply(status: 429, "slowly"), .unavailable, "fails (429): slowly"),
      (.bytes("nonsense\r\n\r\n"), .unavailable, "does not answer"),
      (.bytes(""), .unavailable, "does not answer"),
      (.bytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"), .unavailable, "does not answer"),
    ]
    for (answer, kind, words) in cases {
      server.answer { _ in answer }
      guard case .failure(let failure) = Self.rows(client) else {
        Issue.record("\(answer) was taken for an answer")
        continue
      }
      #expect(failure.kind == kind && failure.description.contains(words), "\(answer): \(failure)")
      #expect(failure.description.hasPrefix("steps.priced.lookup.table: "))
    }
  }

  @Test func anAnswerThatDoesNotComeInTimeIsNone_andNeitherIsAServerThatIsNotThere() {
    let server = HTTPDouble { _ in .silence }
    let client = Self.client(Self.spec(server, timeoutMilliseconds: 100))
    defer { client.close() }
    guard case .failure(let slow) = Self.rows(client) else {
      Issue.record("it was answered")
      return
    }
    #expect(slow.kind == .unavailable && slow.description.contains("does not answer"), "\(slow)")
    server.stop()
    guard case .failure(let gone) = Self.rows(client) else {
      Issue.record("it was answered")
      return
    }
    #expect(gone.kind == .unavailable && gone.description.contains("does not answer"), "\(gone)")
  }
}
