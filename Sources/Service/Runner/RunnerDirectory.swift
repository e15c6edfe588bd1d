import Foundation
import Glibc

/// What a runner remembers of one topology.
struct TopologyRecord: Codable, Sendable, Equatable {
  /// Where its text stands for paths relative to it; need not be there.
  var file: String
  /// `path=value` each, as with `--set`.
  var overrides: [String] = []
  /// Whether it is to run.
  var isWanted = true
  /// Rises with each upgrade.
  var revision = 1
  /// Wall-clock ms since 1970.
  var submittedAt: Int64
  /// Where its first run begins: `latest`, `none` or a path; until it has a checkpoint above `fromAbove`.
  var from = "latest"
  var fromAbove: Int64?
  /// Whose state the last upgrade leaves behind: by its first start, and by those that follow before it has a checkpoint.
  var dropState: [String]?
  /// Why it was given up; nil while it was not.
  var failure: String?
  var failedAt: Int64?
  /// Whether its input has ended and been worked through.
  var isDone = false
}

/// The directory in which a runner keeps what it must know after a crash. Held by one process at a time.
///
///     lock
///     topologies/NAME/topology.yaml   the text as it was submitted
///     topologies/NAME/record.json     what else there is to know: `TopologyRecord`
///     savepoints/NAME/N               savepoints that nobody gave a place
///     audit.log                       who did and read what
final class RunnerDirectory: Sendable {
  let path: String
  private let lock: Int32

  init(_ path: String) throws(DurableFile.Failure) {
    self.path = path
    try DurableFile.makeFolders(path + "/topologies")
    lock = open(path + "/lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o644)
    guard lock >= 0 else { throw DurableFile.Failure(path + "/lock", "cannot be opened") }
    // `deinit` closes it.
    guard flock(lock, LOCK_EX | LOCK_NB) == 0 else {
      throw DurableFile.Failure(path, "another runner works in this directory")
    }
  }

  deinit { close(lock) }

  /// Why nothing can be kept in it now; nil where it can.
  var unusability: String? {
    guard access(path, W_OK) == 0 else { return DurableFile.Failure(path, "cannot be written").description }
    var room = statvfs()
    guard statvfs(path, &room) == 0 else { return DurableFile.Failure(path, "cannot be looked at").description }
    return room.f_bavail == 0 ? "\(path): there is no room left on its disk" : nil
  }

  private func folder(_ name: String) -> String { "\(path)/topologies/\(name)" }

  /// A topology that is known, or why its record cannot be read.
  func load(_ name: String) throws -> (text: String, record: TopologyRecord)? {
    guard let text = try DurableFile.read(folder(name) + "/topology.yaml"),
      let record = try DurableFile.read(folder(name) + "/record.json")
    else { return nil }
    return (String(decoding: text, as: UTF8.self), try JSONDecoder().decode(TopologyRecord.self, from: Data(record)))
  }

  /// Names of all topologies.
  var names: [String] { DurableFile.names(in: path + "/topologies") }

  func save(_ name: String, text: String, _ record: TopologyRecord) throws {
    try DurableFile.makeFolders(folder(name))
    try DurableFile.write(Array(text.utf8), to: folder(name) + "/topology.yaml")
    try save(name, record)
  }

  func save(_ name: String, _ record: TopologyRecord) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    try DurableFile.write([UInt8](try encoder.encode(record)), to: folder(name) + "/record.json")
  }

  /// Forgets a topology; its checkpoints stay.
  func remove(_ name: String) {
    for file in ["record.json", "topology.yaml"] { unlink("\(folder(name))/\(file)") }
    rmdir(folder(name))
  }

  /// A place for a savepoint that nobody gave one.
  func savepointPath(_ name: String) throws(DurableFile.Failure) -> String {
    let folder = "\(path)/savepoints/\(name)"
    try DurableFile.makeFolders(folder)
    let highest = DurableFile.names(in: folder).compactMap { Int($0) }.max() ?? 0
    return "\(folder)/\(highest + 1)"
  }

  /// Where a topology's text stands that came without a place: paths relative to it stay in the directory.
  func standInFile(_ name: String) -> String { "\(folder(name))/files/topology.yaml" }
}
