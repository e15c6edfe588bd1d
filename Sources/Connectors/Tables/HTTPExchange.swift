import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Sends requests and waits for their answers, on the calling thread, which may block. Thread-safe.
///
/// Connections are kept and shared. An answer that grows beyond `maxAnswerBytes` is cut off, and one that is not whole within the
/// timeout is none, however slowly it comes.
final class HTTPExchange: Sendable {
  enum Reply: Sendable {
    case answer(status: Int, Data)
    case nothing(String)
    case tooLong
  }

  static let maxAnswerBytes = 1 << 20

  private static let sessionSlackSeconds = 60.0

  private let timeoutMilliseconds: Int64
  private let session: URLSession
  private let receiver = Receiver()

  init(timeoutMilliseconds: Int64, connections: Int) {
    self.timeoutMilliseconds = timeoutMilliseconds
    let configuration = URLSessionConfiguration.ephemeral
    // The session's own timeout counts in whole seconds and begins anew with every byte; `get` keeps the time instead.
    configuration.timeoutIntervalForRequest = Double(timeoutMilliseconds) / 1000 + HTTPExchange.sessionSlackSeconds
    configuration.httpMaximumConnectionsPerHost = connections
    configuration.httpShouldSetCookies = false
    configuration.urlCache = nil
    session = URLSession(configuration: configuration, delegate: receiver, delegateQueue: nil)
  }

  func get(_ url: URL, headers: [(name: String, value: String)]) -> Reply {
    var request = URLRequest(url: url)
    request.setValue("application/json", forHTTPHeaderField: "Accept")
    for (name, value) in headers { request.setValue(value, forHTTPHeaderField: name) }
    let task = session.dataTask(with: request)
    let exchange = receiver.begin(task.taskIdentifier)
    task.resume()
    let reply = exchange.wait(milliseconds: timeoutMilliseconds)
    // What still comes is of no use, and the session would wait for it.
    if !exchange.hasEnded { task.cancel() }
    return reply
  }

  /// Ends what is under way; nothing may be asked any more.
  func close() { session.invalidateAndCancel() }

  /// One request's answer as it comes.
  final class Pending: Sendable {
    private struct Answer {
      var status = 0
      var body = Data()
      var isTooLong = false
      var reply: Reply?
      var hasEnded = false
    }
    private let answer = Mutex(Answer())
    private let arrived = DispatchSemaphore(value: 0)

    fileprivate func begin(status: Int) { answer.withLock { $0.status = status } }

    fileprivate var hasEnded: Bool { answer.withLock { $0.hasEnded } }

    /// Keeps a piece of the body, as long as there is room.
    fileprivate func take(_ data: Data) {
      let becomesTooLong = answer.withLock { answer in
        if answer.isTooLong { return false }
        answer.isTooLong = answer.body.count + data.count > HTTPExchange.maxAnswerBytes
        if answer.isTooLong { answer.reply = .tooLong } else { answer.body.append(data) }
        return answer.isTooLong
      }
      if becomesTooLong { arrived.signal() }
    }

    fileprivate func end(_ error: String?) {
      answer.withLock { answer in
        answer.hasEnded = true
        if answer.isTooLong { return }
        answer.reply = error.map(Reply.nothing) ?? .answer(status: answer.status, answer.body)
      }
      arrived.signal()
    }

    fileprivate func wait(milliseconds: Int64) -> Reply {
      _ = arrived.wait(timeout: .now() + .milliseconds(Int(clamping: milliseconds)))
      return answer.withLock { $0.reply } ?? .nothing("no whole answer within \(milliseconds) ms")
    }
  }

  /// Hands what the session receives to whoever waits for it.
  private final class Receiver: NSObject, URLSessionDataDelegate, Sendable {
    private let pending = Mutex<[Int: Pending]>([:])

    func begin(_ task: Int) -> Pending {
      let exchange = Pending()
      pending.withLock { $0[task] = exchange }
      return exchange
    }

    func urlSession(
      _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
      completionHandler: @escaping (URLSession.ResponseDisposition) -> Void
    ) {
      let status = (response as? HTTPURLResponse)?.statusCode ?? 0
      pending.withLock { $0[dataTask.taskIdentifier] }?.begin(status: status)
      completionHandler(.allow)
    }

    func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
      pending.withLock { $0[dataTask.taskIdentifier] }?.take(data)
    }

    func urlSession(_ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?) {
      let exchange = pending.withLock { $0.removeValue(forKey: task.taskIdentifier) }
      exchange?.end(error?.localizedDescription)
    }
  }
}
