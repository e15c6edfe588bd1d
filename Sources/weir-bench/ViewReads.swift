import Glibc
import Synchronization

/// The measuring stick of `scripts/bench --views`: reads rows of a view over HTTP at a steady rate, while clients that follow the view
/// and hear nothing stay connected, and says how long answers took and how late the machine wakes a thread that sleeps.
///
/// Reads are due at fixed times whether the ones before have been answered or not, and count from when they were due.
struct ViewReads {
  let port: UInt16
  /// `/v1/topologies/NAME/views/VIEW`
  let view: String
  let readsPerSecond: Int
  let seconds: Int
  let followers: Int
  /// Reads are of `acc-000001` and so on.
  let accounts: Int

  static let connections = 8

  struct Outcome {
    let reads: [Int64]
    let wakings: [Int64]
    let failed: Int
    let followersAtEnd: Int
  }

  func run() -> Outcome? {
    guard let following = follow() else { return nil }
    defer { for socket in following { close(socket) } }
    let start = ViewReads.now() + 200_000_000
    let results = Mutex((reads: [Int64](), wakings: [Int64](), failed: 0))
    Threads.run(count: ViewReads.connections + 1) { index in
      if index == ViewReads.connections {
        let late = wakeUp(from: start)
        results.withLock { $0.wakings += late }
      } else {
        let (times, failed) = read(connection: index, from: start)
        results.withLock { results in
          results.reads += times
          results.failed += failed
        }
      }
    }
    let (reads, wakings, failed) = results.withLock { ($0.reads.sorted(), $0.wakings.sorted(), $0.failed) }
    let alive = following.count { socket in
      var byte: UInt8 = 0
      let count = recv(socket, &byte, 1, Int32(MSG_DONTWAIT) | Int32(MSG_PEEK))
      return count > 0 || count < 0 && errno == EAGAIN
    }
    return Outcome(reads: reads, wakings: wakings, failed: failed, followersAtEnd: alive)
  }

  // MARK: Threads

  /// Ns that answers took; and how many were none.
  private func read(connection: Int, from start: Int64) -> ([Int64], failed: Int) {
    guard let socket = Client.connect(port) else { return ([], readsPerSecond * seconds / ViewReads.connections) }
    defer { close(socket) }
    var (times, failed): ([Int64], Int) = ([], 0)
    var number = connection
    while number < readsPerSecond * seconds {
      let due = start + Int64(number) * 1_000_000_000 / Int64(readsPerSecond)
      ViewReads.sleep(until: due)
      let account = String(number * 7919 % accounts + 1)
      let key = "acc-" + String(repeating: "0", count: max(0, 6 - account.utf8.count)) + account
      let status = Client.ask(socket, "\(view)/rows/\(key)?isolation=live")
      if status == 200 || status == 404 { times.append(ViewReads.now() - due) } else { failed += 1 }
      number += ViewReads.connections
    }
    return (times, failed)
  }

  /// Ns that a sleep of a millisecond took too long.
  private func wakeUp(from start: Int64) -> [Int64] {
    (0..<seconds * 1000).map { number in
      let due = start + Int64(number) * 1_000_000
      ViewReads.sleep(until: due)
      return max(0, ViewReads.now() - due)
    }
  }

  /// Connections of clients that follow a key that nothing is written to; nil where one is refused.
  private func follow() -> [Int32]? {
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    var sockets: [Int32] = []
    for _ in 0..<followers {
      guard let socket = Client.connect(port),
        Client.begin(socket, "\(view)/changes?isolation=live&prefix=nobody") == 200
      else {
        for socket in sockets { close(socket) }
        return nil
      }
      sockets.append(socket)
    }
    return sockets
  }

  static func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }

  private static func sleep(until due: Int64) {
    var time = timespec(tv_sec: Int(due / 1_000_000_000), tv_nsec: Int(due % 1_000_000_000))
    while clock_nanosleep(CLOCK_MONOTONIC, Int32(TIMER_ABSTIME), &time, nil) == EINTR {}
  }

  /// `share` of sorted values are at most this.
  static func quantile(_ share: Double, of sorted: [Int64]) -> Double {
    guard !sorted.isEmpty else { return .nan }
    return Double(sorted[min(sorted.count - 1, Int(share * Double(sorted.count)))]) / 1e6
  }
}

/// As much of an HTTP client as is measured with.
private enum Client {
  static func connect(_ port: UInt16) -> Int32? {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard descriptor >= 0 else { return nil }
    var on: Int32 = 1
    setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, socklen_t(MemoryLayout<Int32>.size))
    var patience = timeval(tv_sec: 60, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let status = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if status == 0 { return descriptor }
    close(descriptor)
    return nil
  }

  private static func send(_ socket: Int32, _ target: String) -> Bool {
    let text = Array("GET \(target) HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)
    return text.withUnsafeBytes { Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
      == text.count
  }

  /// Sends a request and reads the head of the answer; its status, 0 for none.
  static func begin(_ socket: Int32, _ target: String) -> Int { send(socket, target) ? head(socket)?.status ?? 0 : 0 }

  /// Sends a request and reads the whole answer; its status, 0 for none.
  static func ask(_ socket: Int32, _ target: String) -> Int {
    guard send(socket, target), let head = head(socket) else { return 0 }
    var rest = head.bodyBytes - head.readBytes
    var buffer = [UInt8](repeating: 0, count: 1 << 14)
    while rest > 0 {
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return 0 }
      rest -= count
    }
    return head.status
  }

  private static func head(_ socket: Int32) -> (status: Int, bodyBytes: Int, readBytes: Int)? {
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 14)
    let end = Array("\r\n\r\n".utf8)
    while true {
      if let range = bytes.firstRange(of: end) {
        let text = String(decoding: bytes[..<range.lowerBound], as: UTF8.self).lowercased()
        let status = Int(text.split(separator: " ").dropFirst().first ?? "") ?? 0
        let length = text.split(separator: "\r\n").first { $0.hasPrefix("content-length:") }?
          .dropFirst("content-length:".count).filter(\.isNumber)
        return (status, length.flatMap { Int($0) } ?? 0, bytes.count - range.upperBound)
      }
      let count = recv(socket, &buffer, buffer.count, 0)
      guard count > 0 else { return nil }
      bytes += buffer[..<count]
    }
  }
}

/// Threads that may block.
private enum Threads {
  private final class Work {
    let index: Int
    let body: @Sendable (Int) -> Void
    init(index: Int, body: @escaping @Sendable (Int) -> Void) {
      self.index = index
      self.body = body
    }
  }

  /// Runs `body` in so many threads, and returns when all have ended.
  static func run(count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    var threads: [pthread_t] = []
    for index in 0..<count {
      var thread = pthread_t()
      let status = pthread_create(
        &thread, nil,
        { argument in
          guard let argument else { return nil }
          let work = Unmanaged<Work>.fromOpaque(argument).takeRetainedValue()
          work.body(work.index)
          return nil
        }, Unmanaged.passRetained(Work(index: index, body: body)).toOpaque())
      precondition(status == 0, "no thread can be started")
      threads.append(thread)
    }
    for thread in threads { pthread_join(thread, nil) }
  }
}
