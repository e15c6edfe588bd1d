import Checkpoint
import Foundation
import StreamModel
import Topology

/// What is done with a topology that runs: pausing, cancelling, savepoints, rescaling; and its checkpoints.
extension API {
  var changeEndpoints: [Endpoint] {
    let problems: [Problem.Kind] = [.notFound, .conflict, .unavailable]
    return [
      Endpoint(
        method: "DELETE", path: "/v1/topologies/{topology}",
        summary: "Cancel a topology: it takes a last checkpoint and is forgotten; its checkpoints stay",
        roles: [.operator],
        query: [
          .init(name: "savepoint", kind: .flag, about: "Keep a savepoint of it."),
          .init(
            name: "path", kind: .text,
            about: "Where the savepoint goes: an absolute path; else one in the runner's directory."),
        ], answer: "Cancelled", problems: problems, handle: cancel),
      Endpoint(
        method: "POST", path: "/v1/topologies/{topology}/pause",
        summary: "End its job with a last checkpoint; it stays paused until it is resumed", roles: [.operator],
        answer: "Topology", problems: problems, handle: pause),
      Endpoint(
        method: "POST", path: "/v1/topologies/{topology}/resume",
        summary: "Run it again from its newest checkpoint, after a pause, a failure or when there is new input",
        roles: [.operator], answer: "Topology", problems: problems, handle: resume),
      Endpoint(
        method: "POST", path: "/v1/topologies/{topology}/rescale", summary: "Run it at another parallelism",
        roles: [.operator], body: .json(schema: "Rescale"), answer: "Topology",
        problems: problems + [.topologyInvalid, .tooLarge, .unsupportedMediaType], handle: rescale),
      Endpoint(
        method: "POST", path: "/v1/topologies/{topology}/savepoints",
        summary: "Copy its state to a folder of its own, while it runs", roles: [.operator],
        body: .json(schema: "SavepointRequest"), answer: "Savepoint", answerStatus: 201,
        problems: problems + [.tooLarge, .unsupportedMediaType], handle: savepoint),
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/checkpoints", summary: "Its checkpoints, oldest first",
        roles: API.staff, answer: "CheckpointList", problems: [.notFound, .unavailable], handle: checkpoints),
    ]
  }

  private func change(
    _ request: APIRequest, _ body: @Sendable @escaping (Runner, String) throws -> Void
  ) async throws -> APIAnswer {
    let name = request.parameter("topology")
    try await Blocking.run("change") { [runner] in try body(runner, name) }
    return .json(TopologyObject.description(try runner.topology(name)))
  }

  private func pause(_ request: APIRequest) async throws -> APIAnswer {
    try await change(request) { try $0.pause($1) }
  }

  private func resume(_ request: APIRequest) async throws -> APIAnswer {
    try await change(request) { try $0.resume($1) }
  }

  private func rescale(_ request: APIRequest) async throws -> APIAnswer {
    let object = try API.object(request.body, ["parallelism"])
    guard let number = object["parallelism"] as? NSNumber, !(object["parallelism"] is Bool),
      number.doubleValue == Double(number.intValue), (1...KeyGroup.count).contains(number.intValue)
    else { throw Problem(.badRequest, "parallelism: is no whole number from 1 to \(KeyGroup.count)") }
    let parallelism = number.intValue
    return try await change(request) { try $0.rescale($1, to: parallelism) }
  }

  private func cancel(_ request: APIRequest) async throws -> APIAnswer {
    let name = request.parameter("topology")
    let path = try API.path(request.first("path"), "path")
    let place = path.map { .path($0) } ?? (request.flag("savepoint") ? Runner.SavepointPlace.own : nil)
    return try await Blocking.run("cancel") { [runner] in
      let kept = try runner.cancel(name, savepoint: place)
      return .json(
        .object([
          ("name", .string(name)), ("savepoint", kept.map { .string($0.path) } ?? .null),
          ("checkpoint", kept.map { .integer($0.checkpoint) } ?? .null),
        ]))
    }
  }

  private func savepoint(_ request: APIRequest) async throws -> APIAnswer {
    let name = request.parameter("topology")
    let path = try API.path(try API.text(try API.object(request.body, ["path"]), "path"), "path")
    return try await Blocking.run("savepoint") { [runner] in
      let made = try runner.savepoint(name, to: path.map { .path($0) } ?? .own)
      return .json(.object([("path", .string(made.path)), ("checkpoint", .integer(made.checkpoint))]), status: 201)
    }
  }

  private func checkpoints(_ request: APIRequest) async throws -> APIAnswer {
    let directory = try runner.topology(request.parameter("topology")).plan.checkpointDirectory
    return try await Blocking.run("checkpoints") {
      let entries =
        FileManager.default.fileExists(atPath: directory) ? try CheckpointCatalog(directory: directory).entries : []
      return .json(.object([("checkpoints", .array(entries.map(API.checkpoint)))]))
    }
  }

  private static func checkpoint(_ entry: CheckpointCatalog.Entry) -> JSONText {
    var fields: [(String, JSONText)] = [("id", .integer(entry.id)), ("path", .string(entry.path))]
    switch entry.content {
    case .failure(let error): fields.append(("damaged", .string(error.description)))
    case .success(let manifest):
      fields += [
        ("created_at", TopologyObject.time(manifest.createdAt)), ("complete", .flag(manifest.isComplete)),
        ("duration_ms", .integer(manifest.durationMilliseconds)),
        ("state_bytes", .integer(Int64(manifest.stateBytes))), ("new_bytes", .integer(Int64(manifest.newBytes))),
        ("records", .integer(Int64(manifest.recordsRead))),
        ("output_rows", .integer(Int64(manifest.parts.reduce(0) { $0 + $1.rows }))),
      ]
    }
    return .object(fields)
  }
}
