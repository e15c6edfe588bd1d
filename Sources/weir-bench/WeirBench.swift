import Formats
import Glibc

/// The measuring stick of `scripts/bench`: `weir-bench limit FILE WALKERS` walks a file of usage records with plain simdjson
/// in WALKERS threads, each the whole file, and prints `{"rowsPerSecond": …}`, their speeds added up; `weir-bench consume
/// BOOTSTRAP TOPIC` reads a topic to its end with librdkafka alone, and prints that and `rows`; `weir-bench views PORT PATH READS SECONDS
/// FOLLOWERS ACCOUNTS` reads a view of a runner (`ViewReads`), and prints milliseconds.
@main
enum WeirBench {
  static func main() async {
    let arguments = CommandLine.arguments
    if arguments.count == 4, arguments[1] == "consume" { return consume(arguments[2], arguments[3]) }
    if arguments.count == 8, arguments[1] == "views" { return readViews(arguments) }
    guard arguments.count == 4, arguments[1] == "limit", let walkers = Int(arguments[3]), walkers > 0,
      let file = LoadedFile(path: arguments[2])
    else {
      fail("usage: weir-bench limit FILE WALKERS, where FILE can be read")
    }
    let speeds = await withTaskGroup(of: Double.self) { group in
      for _ in 0..<walkers { group.addTask { speed(file) } }
      var sum = 0.0
      for await speed in group { sum += speed }
      return sum
    }
    print("{\"rowsPerSecond\": \(speeds)}")
  }

  private static func readViews(_ arguments: [String]) {
    let numbers = [2, 4, 5, 6, 7].compactMap { Int(arguments[$0]) }
    guard numbers.count == 5, let port = UInt16(exactly: numbers[0]), numbers[1] > 0, numbers[4] > 0 else {
      fail("usage: weir-bench views PORT PATH READS-A-SECOND SECONDS FOLLOWERS ACCOUNTS")
    }
    let reads = ViewReads(
      port: port, view: arguments[3], readsPerSecond: numbers[1], seconds: numbers[2], followers: numbers[3],
      accounts: numbers[4])
    guard let outcome = reads.run() else { fail("\(arguments[3]): a follower was refused") }
    let (answers, wakings) = (outcome.reads, outcome.wakings)
    print(
      """
      {"reads": \(answers.count), "failed": \(outcome.failed), "followers": \(outcome.followersAtEnd), \
      "p50": \(ViewReads.quantile(0.5, of: answers)), "p99": \(ViewReads.quantile(0.99, of: answers)), \
      "wakingP50": \(ViewReads.quantile(0.5, of: wakings)), "wakingP99": \(ViewReads.quantile(0.99, of: wakings))}
      """)
  }

  private static func consume(_ bootstrap: String, _ topic: String) {
    do {
      let read = try BareConsumer(bootstrap: bootstrap, topic: topic).run()
      print("{\"rows\": \(read.rows), \"rowsPerSecond\": \(read.rowsPerSecond)}")
    } catch {
      fail("\(topic) at \(bootstrap): \(error)")
    }
  }

  /// Rows per second of one walk in this thread.
  private static func speed(_ file: LoadedFile) -> Double {
    let start = seconds()
    guard let walk = SimdJSONLimit.walk(file.bytes) else {
      fail("\(file.path) holds something else than usage records")
    }
    return Double(walk.rows) / (seconds() - start)
  }

  private static func seconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func fail(_ message: String) -> Never {
    var text = "weir-bench: \(message)\n"
    text.withUTF8 { _ = write(2, $0.baseAddress, $0.count) }
    exit(1)
  }
}

/// A file in memory, with the padding that parsers read past its end.
///
/// Invariant for `Sendable`: written only by `init`.
final class LoadedFile: @unchecked Sendable {
  let path: String
  let bytes: UnsafeBufferPointer<UInt8>
  private static let paddingBytes = 64

  init?(path: String) {
    let descriptor = open(path, O_RDONLY)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    let size = Int(status.st_size)
    let buffer = UnsafeMutablePointer<UInt8>.allocate(capacity: size + LoadedFile.paddingBytes)
    buffer.initialize(repeating: 0x20, count: size + LoadedFile.paddingBytes)
    var filled = 0
    while filled < size {
      let count = read(descriptor, buffer + filled, size - filled)
      guard count > 0 else { return nil }
      filled += count
    }
    self.path = path
    bytes = UnsafeBufferPointer(start: buffer, count: size)
  }
}
