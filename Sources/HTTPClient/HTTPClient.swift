import StreamModel

/// Asks HTTP services and waits for their answers, on the calling thread, which may block. Thread-safe.
///
/// Connections are kept for the next request to the same service, as many as requests were ever under way at a time. Redirects are
/// followed, to HTTP and HTTPS only; cookies are not kept.
/// See https://curl.se/libcurl/c/libcurl-multi.html.
package final class HTTPClient: Sendable {
  package struct Request: Sendable {
    package var url: String
    package var method = "GET"
    package var headers: [(name: String, value: String)] = []
    package var body: [UInt8] = []
    /// Until the whole answer is there, in ms.
    package var timeoutMilliseconds: Int64
    /// An answer with a longer body is cut off.
    package var maxAnswerBytes = 1 << 20

    package init(_ url: String, timeoutMilliseconds: Int64) {
      self.url = url
      self.timeoutMilliseconds = timeoutMilliseconds
    }
  }

  package enum Reply: Sendable {
    case answer(status: Int, [UInt8])
    /// No whole answer came: why.
    case nothing(String)
    case tooLong
  }

  private struct Shared {
    /// Those that wait for the next request.
    var idle: [HTTPConnection] = []
    var busy: [HTTPConnection] = []
    var isClosed = false
  }

  private let shared = Guarded(Shared())

  package init() {}

  package func send(_ request: Request) -> Reply {
    guard let connection = take() else { return .nothing("the client is closed") }
    let reply = connection.send(request)
    giveBack(connection)
    return reply
  }

  /// Ends what is under way; nothing is asked any more.
  package func close() {
    let busy = shared.withLock { shared in
      shared.isClosed = true
      shared.idle = []
      return shared.busy
    }
    for connection in busy { connection.cancel() }
  }

  private func take() -> HTTPConnection? {
    shared.withLock { shared in
      if shared.isClosed { return nil }
      let connection = shared.idle.popLast() ?? HTTPConnection()
      shared.busy.append(connection)
      return connection
    }
  }

  private func giveBack(_ connection: HTTPConnection) {
    shared.withLock { shared in
      shared.busy.removeAll { $0 === connection }
      if !shared.isClosed { shared.idle.append(connection) }
    }
  }
}
