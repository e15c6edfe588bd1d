import HTTPClient
import Synchronization
import TestSupport
import Testing

/// Laws of asking HTTP services.
@Suite struct HTTPClientTests {
  private static func get(_ client: HTTPClient, _ url: String, timeoutMilliseconds: Int64 = 10_000) -> String {
    switch client.send(HTTPClient.Request(url, timeoutMilliseconds: timeoutMilliseconds)) {
    case .answer(let status, let body): "\(status) \(String(decoding: body, as: UTF8.self))"
    case .nothing(let reason): reason
    case .tooLong: "too long"
    }
  }

  @Test func aConnectionServesOneRequestAfterAnother() {
    let server = HTTPDouble { .reply(status: 200, $0) }
    defer { server.stop() }
    let client = HTTPClient()
    for number in 0..<5 { #expect(Self.get(client, "\(server.url)/\(number)") == "200 /\(number)") }
    #expect(server.connectionCount == 1)
  }

  @Test func requestsOfSeveralThreads_areUnderWayTogether() async {
    let server = HTTPDouble { $0 == "/last" ? .reply(status: 200, "") : .silence }
    defer { server.stop() }
    let client = HTTPClient()
    let replies = await withTaskGroup(of: String.self) { group in
      for number in 0..<4 { group.addTask { await Self.onThread { Self.get(client, "\(server.url)/\(number)") } } }
      while server.requests.count < 4 { await Task.yield() }
      #expect(Self.get(client, "\(server.url)/last") == "200 ")
      server.release()
      return await group.reduce(into: []) { $0.append($1) }
    }
    #expect(replies.count == 4 && replies.allSatisfy { !$0.hasPrefix("200") }, "\(replies)")
  }

  @Test func closing_endsWhatIsUnderWay_andNothingIsAskedAfterwards() async {
    let server = HTTPDouble { _ in .silence }
    defer { server.stop() }
    let client = HTTPClient()
    async let waiting = Self.onThread { Self.get(client, server.url + "/1", timeoutMilliseconds: 600_000) }
    while server.requests.isEmpty { await Task.yield() }
    client.close()
    #expect(await waiting == "the client is closed")
    #expect(Self.get(client, server.url + "/2") == "the client is closed")
    #expect(server.requests == ["/1"])
  }

  @Test func redirectsAreFollowed_butNotForEver_andNotToFiles() {
    let server = HTTPDouble { path in
      switch path {
      case "/old": .bytes("HTTP/1.1 302 X\r\nLocation: /new\r\nContent-Length: 0\r\n\r\n")
      case "/loop": .bytes("HTTP/1.1 302 X\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n")
      case "/file": .bytes("HTTP/1.1 302 X\r\nLocation: file:///etc/hostname\r\nContent-Length: 0\r\n\r\n")
      default: .reply(status: 200, path)
      }
    }
    defer { server.stop() }
    let client = HTTPClient()
    #expect(Self.get(client, server.url + "/old") == "200 /new")
    #expect(!Self.get(client, server.url + "/loop").hasPrefix("200"))
    #expect(!Self.get(client, server.url + "/file").hasPrefix("200"))
    #expect(!Self.get(client, "file:///etc/hostname").hasPrefix("200"))
    #expect(server.requests.count < 20)
  }

  @Test func anAnswerThatIsTooLongIsCutOff_andTheNextIsWhole() {
    let server = HTTPDouble { _ in .reply(status: 200, String(repeating: "x", count: 1000)) }
    defer { server.stop() }
    let client = HTTPClient()
    for (limit, isTooLong) in [(999, true), (1000, false)] {
      var request = HTTPClient.Request(server.url, timeoutMilliseconds: 10_000)
      request.maxAnswerBytes = limit
      switch client.send(request) {
      case .tooLong: #expect(isTooLong)
      case .answer(_, let body): #expect(!isTooLong && body.count == 1000)
      case .nothing(let reason): Issue.record("\(reason)")
      }
    }
  }

  @Test func whatDoesNotComeInTime_isNoAnswer() {
    let server = HTTPDouble { _ in .silence }
    defer { server.stop() }
    #expect(Self.get(HTTPClient(), server.url, timeoutMilliseconds: 50) == "no whole answer within 50 ms")
  }

  @Test(arguments: ["", "http://", "http://127.0.0.1:1/", "no service here", "gopher://127.0.0.1/"])
  func whereThereIsNoService_thatIsSaid(_ url: String) {
    guard case .nothing(let reason) = HTTPClient().send(HTTPClient.Request(url, timeoutMilliseconds: 10_000)) else {
      Issue.record("\(url) answered")
      return
    }
    #expect(!reason.isEmpty)
  }

  private static func onThread(_ body: @escaping @Sendable () -> String) async -> String {
    await withCheckedContinuation { continuation in HTTPDouble.onThread { continuation.resume(returning: body()) } }
  }
}
