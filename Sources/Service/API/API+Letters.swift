import Connectors
import Formats
import Runtime
import Topology

/// Dead letters: browsing, and sending them back to their source.
extension API {
  static let maxLetters = 1000

  var letterEndpoints: [Endpoint] {
    let filters: [Endpoint.Parameter] = [
      .init(name: "step", kind: .text, about: "Only letters of this step, or source."),
      .init(name: "port", kind: .text, about: "Only letters of this port: error, late, missing, rejected."),
    ]
    return [
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/dead-letters",
        summary: "Records that nobody could use, and why, in the order of their files", roles: [.operator],
        query: [
          .init(name: "limit", kind: .integer(1...API.maxLetters), about: "Most letters of a page; 100."),
          .init(name: "cursor", kind: .integer(0...Int(Int32.max)), about: "`next` of the page before."),
        ] + filters, answer: "LetterPage", problems: [.notFound, .conflict, .unavailable], handle: letters),
      Endpoint(
        method: "POST", path: "/v1/topologies/{topology}/dead-letters/replay",
        summary: "Send letters back to their source's directory as the records they were", roles: [.operator],
        body: .json(schema: "Replay"), answer: "Replayed",
        problems: [.notFound, .conflict, .unavailable, .tooLarge, .unsupportedMediaType], handle: replay),
    ]
  }

  /// Nil where there are no letters.
  private func reader(_ plan: LogicalPlan) throws(Problem) -> DeadLetterReader? {
    guard case .file(let path, let format) = plan.deadLetters.connector else {
      throw Problem(.conflict, "\(plan.name): its dead letters are not written to files")
    }
    let names = DurableFile.names(in: path)
    guard names.contains(where: { !$0.hasPrefix(".") && !$0.hasPrefix("_") }) else { return nil }
    return DeadLetterReader(path: path, format: format)
  }

  private func letters(_ request: APIRequest) async throws -> APIAnswer {
    let plan = try runner.topology(request.parameter("topology")).plan
    let limit = try request.integer("limit", in: 1...API.maxLetters, otherwise: 100)
    let cursor = try request.integer("cursor", in: 0...Int(Int32.max), otherwise: 0)
    let (step, port) = (request.first("step"), request.first("port"))
    let reader = try reader(plan)
    return try await Blocking.run("letters") {
      var shown: [JSONText] = []
      var position = 0
      var next: Int?
      try API.read(reader) { letter in
        defer { position += 1 }
        guard position >= cursor else { return true }
        if step.map({ $0 != letter.step }) ?? false || port.map({ $0 != letter.port }) ?? false { return true }
        guard shown.count < limit else {
          next = position
          return false
        }
        shown.append(API.object(letter, at: position))
        return true
      }
      return .json(
        .object([("letters", .array(shown)), ("next", next.map { .integer(Int64($0)) } ?? .null)]))
    }
  }

  private static func object(_ letter: DeadLetter, at position: Int) -> JSONText {
    .object([
      ("position", .integer(Int64(position))), ("step", .string(letter.step)), ("port", .string(letter.port)),
      ("reason", .string(letter.reason)), ("source", letter.source.map { .string($0) } ?? .null),
      ("partition", letter.partition.map { .string($0) } ?? .null),
      ("record", String(validating: letter.record, as: UTF8.self).map { .string($0) } ?? .null),
      ("record_base64", .string(Base64.encode(letter.record))),
    ])
  }

  /// Calls `body` with every letter until it says no; no letters at all are none.
  private static func read(_ reader: DeadLetterReader?, _ body: (DeadLetter) throws -> Bool) throws {
    var isOver = false
    do {
      try reader?.read { (letter) throws(ConnectorError) in
        guard !isOver else { return }
        do {
          if try !body(letter) {
            isOver = true
            throw ConnectorError("enough")
          }
        } catch let error as ConnectorError {
          throw error
        } catch {
          throw ConnectorError("\(error)")
        }
      }
    } catch {
      if isOver { return }
      throw Problem(.conflict, error.description)
    }
  }

  private func replay(_ request: APIRequest) async throws -> APIAnswer {
    let plan = try runner.topology(request.parameter("topology")).plan
    let object = try API.object(request.body, ["source", "step", "port"])
    let (step, port) = (try API.text(object, "step"), try API.text(object, "port"))
    let source = try API.chosenSource(plan, try API.text(object, "source"))
    let destination = try API.replayDestination(source)
    let reader = try reader(plan)
    return try await Blocking.run("replay") {
      let target = try source.connector.makeReplayTarget(
        name: source.name, job: plan.name, format: source.format, to: destination)
      var (sent, left) = (0, 0)
      do {
        try API.read(reader) { letter in
          let isWanted = step.map { $0 == letter.step } ?? true && port.map { $0 == letter.port } ?? true
          guard isWanted, letter.source == source.name else {
            left += 1
            return true
          }
          try target.write(letter)
          sent += 1
          return true
        }
        let places = try target.finish()
        return .json(
          .object([
            ("sent", .integer(Int64(sent))), ("left", .integer(Int64(left))),
            ("files", .array(places.map { .string($0) })),
          ]))
      } catch {
        target.abandon()
        if let error = error as? ConnectorError { throw Problem(.conflict, error.description) }
        throw error
      }
    }
  }

  private static func chosenSource(_ plan: LogicalPlan, _ name: String?) throws(Problem) -> SourcePlan {
    let names = plan.sources.map(\.name).joined(separator: ", ")
    guard let name else {
      if plan.sources.count == 1 { return plan.sources[0] }
      throw Problem(.badRequest, "source: the topology has several — choose one of \(names)")
    }
    guard let source = plan.sources.first(where: { $0.name == name }) else {
      throw Problem(.badRequest, "source: there is no `\(name.prefix(60))` — there are \(names)")
    }
    return source
  }

  /// Where records go so that the source reads them again: the topics they came from, or the directory that it reads.
  private static func replayDestination(_ source: SourcePlan) throws(Problem) -> ReplayDestination {
    switch source.connector {
    case .kafka: return .topic
    case .file(let spec):
      if FileKind.isDirectory(spec.path) { return .directory(spec.path) }
      throw Problem(
        .conflict, "sources.\(source.name): it reads \(spec.path), which is no directory that a file could be added to")
    case .generator:
      throw Problem(.conflict, "sources.\(source.name): a generator makes its records itself, and takes none back")
    }
  }
}
