import Formats
import Runtime
import StreamModel
import Topology
import Views

/// Views: rows by key, scans, changes. What the reader may see is decided in `ViewAccess` alone.
extension API {
  static let maxRows = 1000

  var viewEndpoints: [Endpoint] {
    let isolation = Endpoint.Parameter(
      name: "isolation", kind: .choice(ViewIsolation.allCases.map(\.rawValue)),
      about: "`committed`, as of the last checkpoint (the default), or `live`: what the step has given so far.")
    let prefix = Endpoint.Parameter(
      name: "prefix", kind: .text,
      about: "The first key columns of the rows, one each, in the order of the key.", isRepeated: true)
    let problems: [Problem.Kind] = [.notFound, .unavailable]
    return [
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/views", summary: "The views of a topology",
        roles: API.everyone, answer: "ViewList", problems: [.notFound], handle: views),
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/views/{view}",
        summary: "What a view is: its columns and its key",
        roles: API.everyone, answer: "View", problems: [.notFound], handle: view),
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/views/{view}/rows",
        summary: "Rows in the order of their keys, page by page", roles: API.everyone,
        query: [
          prefix, isolation,
          .init(name: "limit", kind: .integer(1...API.maxRows), about: "Most rows of a page; 100."),
          .init(name: "cursor", kind: .text, about: "`next` of the page before."),
        ], answer: "RowPage", problems: problems, handle: rows),
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/views/{view}/rows/{key...}",
        summary: "The row of a key, whose columns are the rest of the path", roles: API.everyone, query: [isolation],
        answer: "Row", problems: problems, handle: row),
      Endpoint(
        method: "GET", path: "/v1/topologies/{topology}/views/{view}/changes",
        summary: "Changes as server-sent events, resumed behind `Last-Event-ID`", roles: API.everyone,
        query: [prefix, isolation], answer: "Events", answerType: "text/event-stream", problems: problems,
        handle: changes),
    ]
  }

  private func access(_ request: APIRequest) throws -> (ViewAccess, ViewStore) {
    let topology = try runner.topology(request.parameter("topology"))
    let views = topology.views
    guard let store = views[request.parameter("view")] else {
      throw Problem(.notFound, "\(topology.name): there is no view `\(request.parameter("view").prefix(60))`")
    }
    return (try ViewAccess(views, store, scope(of: request.identity)), store)
  }

  /// Who sees which rows, and which see personal fields.
  private func scope(of identity: Identity) -> ViewScope {
    switch identity.role {
    case .operator: ViewScope()
    case .analyst: ViewScope(token: tokens.token)
    // An account's own numbers are no secret to it.
    case .portal: ViewScope(account: identity.account ?? "")
    }
  }

  private func isolation(_ request: APIRequest) throws(Problem) -> ViewIsolation {
    let text = try request.choice(
      "isolation", ViewIsolation.allCases.map(\.rawValue), otherwise: ViewIsolation.committed.rawValue)
    return ViewIsolation(rawValue: text) ?? .committed
  }

  /// Reads on a thread that may block.
  private func read<Result: Sendable>(_ body: @Sendable @escaping () throws(ViewError) -> Result) async throws -> Result
  {
    do {
      return try await withTaskExecutorPreference(readers) { try body() }
    } catch let error as ViewError {
      throw Problem(error)
    }
  }

  // MARK: What there is

  private func views(_ request: APIRequest) throws -> APIAnswer {
    let topology = try runner.topology(request.parameter("topology"))
    let shown = topology.views.stores.filter { request.identity.role != .portal || $0.view.account != nil }
    return .json(.object([("views", .array(shown.map { API.object($0.view) }))]))
  }

  private func view(_ request: APIRequest) throws -> APIAnswer {
    do { return .json(API.object(try access(request).1.view)) } catch let error as ViewError { throw Problem(error) }
  }

  private static func object(_ view: ViewDefinition) -> JSONText {
    func names(_ columns: [Int]) -> JSONText { .array(columns.map { .string(view.schema[$0].name) }) }
    return .object([
      ("name", .string(view.name)), ("key", names(view.key)),
      ("account", view.account.map { .string(view.schema[$0].name) } ?? .null), ("masked", names(view.masked)),
      ("retain_ms", view.retainMilliseconds.map { .integer($0) } ?? .null),
      (
        "columns",
        .array(
          view.schema.fields.map {
            .object([
              ("name", .string($0.name)), ("type", .string($0.type.description)), ("nullable", .flag($0.nullable)),
            ])
          })
      ),
    ])
  }

  // MARK: Rows

  private func row(_ request: APIRequest) async throws -> APIAnswer {
    do {
      let (access, _) = try access(request)
      let isolation = try isolation(request)
      let page = try await read { () throws(ViewError) in try access.row(request.rest, isolation) }
      guard page.rows.count == 1 else {
        throw Problem(.notFound, "view \(access.view.name) has no row of this key")
      }
      return .bytes(RowText.lines(page.rows), type: "application/json")
    } catch let error as ViewError {
      throw Problem(error)
    }
  }

  private func rows(_ request: APIRequest) async throws -> APIAnswer {
    do {
      let (access, _) = try access(request)
      let isolation = try isolation(request)
      let limit = try request.integer("limit", in: 1...API.maxRows, otherwise: 100)
      let scan = ScanCursors.Scan(
        topology: request.parameter("topology"), view: access.view.name, account: request.identity.account)
      let after = try request.first("cursor").map { try cursors.place($0, of: scan) }
      let prefix = request.all("prefix")
      // Before the rows: changes behind it bring them up to date.
      let position = access.head(isolation)
      let page = try await read { () throws(ViewError) in
        try access.scan(prefix: prefix, after: after, limit: limit, isolation)
      }
      let next = try page.next.map { try cursors.text($0, of: scan) }
      return .bytes(RowText.page(page, next: next, position, isolation), type: "application/json")
    } catch let error as ViewError {
      throw Problem(error)
    }
  }

  // MARK: Changes

  private func changes(_ request: APIRequest) throws -> APIAnswer {
    do {
      let name = request.parameter("topology")
      let (access, _) = try access(request)
      let views = try runner.topology(name).views
      let isolation = try isolation(request)
      let prefix = request.all("prefix")
      // Before the place where it begins: nothing falls between the two.
      let following = try bell.follow(access, prefix: prefix, isolation)
      var start = access.head(isolation)
      if let id = request.lastEventID {
        guard let position = ViewPosition(id) else {
          throw Problem(.badRequest, "Last-Event-ID: is none of this view's")
        }
        start = position
      }
      let cursor = ChangeCursor(
        access: access, isolation: isolation, prefix: prefix, place: following.place, position: start,
        shared: sharedEvents)
      return .events(
        EventStream(
          next: { [runner, bell, followers, identity = request.identity] in
            // Where another version stands in the topology's place the client comes back, and follows that one.
            guard !identity.hasExpired, !bell.isOver, (try? runner.topology(name))?.views === views else { return nil }
            return try await withTaskExecutorPreference(followers) { try await cursor.next() }
          },
          bell: { following.rings }))
    } catch let error as ViewError {
      throw Problem(error)
    }
  }
}

extension Problem {
  init(_ error: ViewError) {
    switch error {
    case .request(let reason): self.init(.badRequest, reason)
    case .forbidden(let reason): self.init(.forbidden, reason)
    case .unavailable(let reason):
      self.init(.unavailable, reason)
      retryAfterSeconds = 1
    }
  }
}
