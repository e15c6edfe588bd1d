import CCurl
import Synchronization

/// Sends one request at a time, over the connections that earlier ones have left open.
///
/// Invariant for `Sendable`: whoever has it from its client uses the handles, one at a time; `cancel` may be called by anybody meanwhile.
final class HTTPConnection: @unchecked Sendable {
  private let multi: UnsafeMutableRawPointer
  private let easy: UnsafeMutableRawPointer
  private let isCancelled = Atomic<Bool>(false)
  /// Why the first option was refused that was.
  private var refusal = CURLE_OK

  /// How long to wait at most before the state of things is looked at again, in ms.
  private static let pollMilliseconds: Int32 = 1000
  private static let maxRedirects = 10

  init() {
    HTTPConnection.initializeOnce
    guard let multi = curl_multi_init(), let easy = curl_easy_init() else {
      preconditionFailure("libcurl gives handles")
    }
    self.multi = multi
    self.easy = easy
  }

  deinit {
    curl_easy_cleanup(easy)
    curl_multi_cleanup(multi)
  }

  private static let initializeOnce: Void = { _ = curl_global_init(Int(CURL_GLOBAL_DEFAULT)) }()

  /// Ends the request that is under way, soon, and any that comes.
  func cancel() {
    isCancelled.store(true, ordering: .releasing)
    curl_multi_wakeup(multi)
  }

  func send(_ request: HTTPClient.Request) -> HTTPClient.Reply {
    let body = AnswerBody(maxBytes: request.maxAnswerBytes)
    let headers = request.headers.reduce(nil as UnsafeMutablePointer<curl_slist>?) { list, header in
      let line = header.value.isEmpty ? "\(header.name);" : "\(header.name): \(header.value)"
      guard let longer = curl_slist_append(list, line) else { fatalError("out of memory: a header of a request") }
      return longer
    }
    defer { curl_slist_free_all(headers) }
    return withExtendedLifetime(body) {
      request.body.withUnsafeBytes { content in
        curl_easy_reset(easy)
        refusal = CURLE_OK
        set(request, headers, content, body)
        return reply(refusal == CURLE_OK ? perform() : refusal, request, body)
      }
    }
  }

  private func set(
    _ request: HTTPClient.Request, _ headers: UnsafeMutablePointer<curl_slist>?, _ content: UnsafeRawBufferPointer,
    _ body: AnswerBody
  ) {
    set(CURLOPT_URL, request.url)
    set(CURLOPT_CUSTOMREQUEST, request.method)
    if !content.isEmpty {
      set(CURLOPT_POSTFIELDSIZE, content.count)
      note(weir_curl_set_pointer(easy, CURLOPT_POSTFIELDS, content.baseAddress))
    }
    note(weir_curl_set_pointer(easy, CURLOPT_HTTPHEADER, headers))
    set(CURLOPT_USERAGENT, "weir")
    set(CURLOPT_ACCEPT_ENCODING, "")
    set(CURLOPT_NOSIGNAL, 1)
    set(CURLOPT_TIMEOUT_MS, Int(clamping: max(1, request.timeoutMilliseconds)))
    set(CURLOPT_FOLLOWLOCATION, 1)
    set(CURLOPT_MAXREDIRS, HTTPConnection.maxRedirects)
    set(CURLOPT_PROTOCOLS_STR, "http,https")
    set(CURLOPT_REDIR_PROTOCOLS_STR, "http,https")
    let written = weir_curl_set_writer(
      easy,
      { bytes, size, count, body in
        guard let bytes, let body else { return 0 }
        let piece = UnsafeRawBufferPointer(start: bytes, count: size * count)
        return Unmanaged<AnswerBody>.fromOpaque(body).takeUnretainedValue().take(piece) ? piece.count : 0
      }, Unmanaged.passUnretained(body).toOpaque())
    note(written)
  }

  private func set(_ option: CURLoption, _ value: Int) { note(weir_curl_set_long(easy, option, value)) }
  private func set(_ option: CURLoption, _ value: String) {
    value.withCString { note(weir_curl_set_pointer(easy, option, $0)) }
  }

  private func note(_ code: CURLcode) {
    if refusal == CURLE_OK { refusal = code }
  }

  /// Runs the request to its end; nil where it was cancelled.
  private func perform() -> CURLcode? {
    curl_multi_add_handle(multi, easy)
    defer { curl_multi_remove_handle(multi, easy) }
    var running: Int32 = 1
    while !isCancelled.load(ordering: .acquiring) {
      let status = curl_multi_perform(multi, &running)
      guard status == CURLM_OK else { return CURLE_FAILED_INIT }
      if running == 0 { break }
      curl_multi_poll(multi, nil, 0, HTTPConnection.pollMilliseconds, nil)
    }
    var left: Int32 = 0
    while let message = curl_multi_info_read(multi, &left) {
      if message.pointee.msg == CURLMSG_DONE { return message.pointee.data.result }
    }
    return nil
  }

  private func reply(_ code: CURLcode?, _ request: HTTPClient.Request, _ body: AnswerBody) -> HTTPClient.Reply {
    if body.isTooLong { return .tooLong }
    switch code {
    case nil: return .nothing("the client is closed")
    case CURLE_OK?: return .answer(status: weir_curl_status(easy), body.bytes)
    case CURLE_OPERATION_TIMEDOUT?: return .nothing("no whole answer within \(request.timeoutMilliseconds) ms")
    case let code?: return .nothing(String(cString: curl_easy_strerror(code)))
    }
  }
}

/// The body of an answer as it comes. One owner.
private final class AnswerBody {
  private(set) var bytes: [UInt8] = []
  private(set) var isTooLong = false
  private let maxBytes: Int

  init(maxBytes: Int) { self.maxBytes = maxBytes }

  /// Keeps a piece, as long as there is room; says whether there was.
  func take(_ piece: UnsafeRawBufferPointer) -> Bool {
    isTooLong = isTooLong || bytes.count + piece.count > maxBytes
    if !isTooLong { bytes.append(contentsOf: piece) }
    return !isTooLong
  }
}
