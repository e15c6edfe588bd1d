import Glibc

@testable import Connectors
import Formats
import StreamModel

/// A directory of a test's own, removed with it.
final class Scratch {
  let path: String

  init() {
    var template = Array("/tmp/weir-connectors-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { fatalError("mkdtemp: \(errno)") }
    path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { Scratch.remove(path) }

  private static func remove(_ path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return }
    if status.st_mode & S_IFMT == S_IFDIR {
      chmod(path, 0o755)
      for name in Scratch.names(in: path) { remove("\(path)/\(name)") }
      rmdir(path)
    } else {
      unlink(path)
    }
  }

  /// The names in a directory, sorted.
  static func names(in path: String) -> [String] {
    let names = (try? OutputDirectory(path: path, place: "test").names(beginningWith: "")) ?? []
    return names.filter { $0 != "." && $0 != ".." }.sorted()
  }

  @discardableResult
  func write(_ name: String, _ bytes: [UInt8]) -> String {
    let file = "\(path)/\(name)"
    var parent = path
    for part in name.split(separator: "/").dropLast() {
      parent += "/\(part)"
      mkdir(parent, 0o755)
    }
    let descriptor = open(file, O_WRONLY | O_CREAT | O_TRUNC, 0o644)
    precondition(descriptor >= 0)
    bytes.withUnsafeBytes { precondition(Glibc.write(descriptor, $0.baseAddress, $0.count) == $0.count) }
    close(descriptor)
    return file
  }

  @discardableResult
  func write(_ name: String, _ text: String) -> String { write(name, Array(text.utf8)) }

  static func read(_ path: String) -> String { String(decoding: readBytes(path), as: UTF8.self) }

  static func readBytes(_ path: String) -> [UInt8] {
    let descriptor = open(path, O_RDONLY)
    precondition(descriptor >= 0, path)
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let given = Glibc.read(descriptor, &buffer, buffer.count)
      precondition(given >= 0)
      if given == 0 { return bytes }
      bytes += buffer[..<given]
    }
  }
}

/// What a reader gave, read to its end.
struct Reading: Equatable {
  struct Record: Equatable {
    let partition: Int
    let file: String
    let position: Int64
    let text: String
  }
  var records: [Record] = []
  struct Letter: Equatable {
    let position: Int64
    let text: String
    let reason: String
  }
  var undecodable: [String] = []
  var letters: [Letter] = []
  var ended: [String] = []
  var prologues: Set<String> = []
  var chunkSizes: [Int] = []

  static func == (left: Reading, right: Reading) -> Bool {
    left.records == right.records && left.undecodable == right.undecodable && left.ended == right.ended
      && left.prologues == right.prologues
  }

  /// Reads up to `limit` pieces; false at the end of the input.
  mutating func take(
    _ reader: any SourceReader, limit: Int = .max, targetBytes: () -> Int = { 1 << 20 }
  ) throws -> Bool {
    for _ in 0..<limit {
      switch try reader.next(targetBytes: targetBytes()) {
      case .chunk(let chunk, let prologue):
        add(chunk)
        prologues.insert(String(decoding: prologue, as: UTF8.self))
      case .undecodable(let chunk, let failure):
        undecodable.append("\(chunk.offset)+\(chunk.count): \(failure.reason)")
        letters.append(
          Letter(
            position: chunk.offset, text: String(decoding: chunk.bytes, as: UTF8.self), reason: failure.reason))
      case .endOfPartition(let partition): ended.append("\(partition.index) \(partition.name)")
      case .wait: break
      case .endOfInput: return false
      }
    }
    return true
  }

  private mutating func add(_ chunk: RecordChunk) {
    chunkSizes.append(chunk.count)
    var start = 0
    while start < chunk.count {
      let end = chunk.bytes[start...].firstIndex(of: 10).map { $0 + 1 } ?? chunk.count
      records.append(
        Record(
          partition: chunk.partition.index, file: chunk.partition.name, position: chunk.position(ofRecordAt: start),
          text: String(decoding: chunk.bytes[start..<end], as: UTF8.self)))
      start = end
    }
  }

  static func whole(_ reader: any SourceReader, targetBytes: () -> Int = { 1 << 20 }) throws -> Reading {
    try reader.open()
    var reading = Reading()
    _ = try reading.take(reader, targetBytes: targetBytes)
    return reading
  }
}

func fileReader(
  _ path: String, onePartition: Bool = false, header: Bool = false, maxRecordBytes: Int = 16 << 20
) -> FileSourceReader {
  FileSourceReader(
    FileSourceSpec(path: path, isOnePartition: onePartition), source: "usage",
    format: header ? .csv(CSVOptions()) : .json, maxRecordBytes: maxRecordBytes)
}

/// The message of the error that `body` throws.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "nothing was thrown"
  } catch {
    return "\(error)"
  }
}

/// A random sequence whose seed can be given in `WEIR_TEST_SEED`; prints it.
func testRandom(_ name: String = #function) -> SeededRandom {
  let given = getenv("WEIR_TEST_SEED").flatMap { UInt64(String(cString: $0)) }
  let seed = given ?? UInt64.random(in: 0...(.max))
  print("\(name): WEIR_TEST_SEED=\(seed)")
  return SeededRandom(state: seed)
}

struct SeededRandom: RandomNumberGenerator {
  var state: UInt64
  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
