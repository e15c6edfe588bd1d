import Foundation
import Runtime
import Topology

/// The runner's HTTP interface: the table of its endpoints.
struct API: Sendable {
  let runner: Runner
  let bell: ChangeBell
  /// Reads of views block; so many at a time have a thread.
  static let readerThreads = 4
  let readers = DedicatedThreadExecutor(name: "views", threadCount: API.readerThreads)
  /// Events are put together on threads of their own too: clients that follow much hold up each other and nobody else.
  static let followerThreads = 2
  let followers = DedicatedThreadExecutor(name: "followers", threadCount: API.followerThreads)
  let sharedEvents = SharedEvents()
  let tokens: PersonalTokens
  var cursors: ScanCursors { tokens.cursors }

  /// Nothing is asked of it any more.
  func shutDown() {
    readers.shutDown()
    followers.shutDown()
  }

  static let everyone: Set<Role> = [.operator, .analyst, .portal]
  static let staff: Set<Role> = [.operator, .analyst]

  var endpoints: [Endpoint] {
    topologyEndpoints + changeEndpoints + letterEndpoints + viewEndpoints + serviceEndpoints + pageEndpoints
  }

  // MARK: Reading bodies

  /// The fields of a JSON object, of which no others are known.
  static func object(_ body: [UInt8], _ known: Set<String>) throws(Problem) -> [String: Any] {
    if body.isEmpty { return [:] }
    guard let object = (try? JSONSerialization.jsonObject(with: Data(body))) as? [String: Any] else {
      throw Problem(.badRequest, "the body is no JSON object")
    }
    if let strange = object.keys.sorted().first(where: { !known.contains($0) }) {
      throw Problem(
        .badRequest,
        "`\(strange.prefix(60))` is not known in the body — known: \(known.sorted().joined(separator: ", "))")
    }
    return object
  }

  static func text(_ object: [String: Any], _ name: String) throws(Problem) -> String? {
    guard let value = object[name], !(value is NSNull) else { return nil }
    guard let text = value as? String else { throw Problem(.badRequest, "\(name): is no text") }
    return text
  }

  /// An absolute path of the runner's machine.
  static func path(_ text: String?, _ name: String) throws(Problem) -> String? {
    guard let text else { return nil }
    guard text.hasPrefix("/"), !text.utf8.contains(0), !text.utf8.contains(10) else {
      throw Problem(.badRequest, "\(name): `\(text.prefix(200))` is no absolute path")
    }
    return text
  }
}
