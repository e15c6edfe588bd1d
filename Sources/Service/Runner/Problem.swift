import Topology

/// Why a request is not answered as asked: RFC 9457 problem details.
package struct Problem: Error, Sendable, CustomStringConvertible {
  /// What went wrong, as a word that programs compare; `type` is made of it.
  package enum Kind: String, Sendable, CaseIterable {
    case badRequest = "bad-request"
    case unauthorized
    case forbidden
    case notFound = "not-found"
    case methodNotAllowed = "method-not-allowed"
    case conflict
    case tooLarge = "too-large"
    case unsupportedMediaType = "unsupported-media-type"
    /// The topology has faults, all of which are in `faults`.
    case topologyInvalid = "topology-invalid"
    /// The state of a topology does not fit its new version; `report` says what.
    case incompatible
    case tooManyRequests = "too-many-requests"
    case failed
    case unavailable

    package var status: Int {
      switch self {
      case .badRequest: 400
      case .unauthorized: 401
      case .forbidden: 403
      case .notFound: 404
      case .methodNotAllowed: 405
      case .conflict, .incompatible: 409
      case .tooLarge: 413
      case .unsupportedMediaType: 415
      case .topologyInvalid: 422
      case .tooManyRequests: 429
      case .failed: 500
      case .unavailable: 503
      }
    }

    package var title: String {
      switch self {
      case .badRequest: "The request cannot be understood"
      case .unauthorized: "Who asks is not known"
      case .forbidden: "This is not for whoever asks"
      case .notFound: "There is no such thing"
      case .methodNotAllowed: "This cannot be done with it"
      case .conflict: "It cannot be done now"
      case .tooLarge: "The request is too large"
      case .unsupportedMediaType: "The request's body is of another kind than expected"
      case .topologyInvalid: "The topology has faults"
      case .incompatible: "The state does not fit the topology"
      case .tooManyRequests: "Too many requests"
      case .failed: "It failed"
      case .unavailable: "It cannot be answered now"
      }
    }
  }

  package let kind: Kind
  package let detail: String
  package var faults: [Fault] = []
  package var report: JSONText?
  /// Seconds after which to ask again.
  package var retryAfterSeconds: Int?
  /// Methods that can be used instead.
  package var allowed: [String] = []

  package init(_ kind: Kind, _ detail: String) {
    self.kind = kind
    self.detail = detail
  }

  package init(_ error: TopologyError) {
    self.init(
      .topologyInvalid, "\(error.faults.count) \(error.faults.count == 1 ? "fault" : "faults"); nothing was started")
    faults = error.faults
  }

  package var description: String { faults.isEmpty ? detail : faults.map(\.description).joined(separator: "\n") }

  package var json: JSONText {
    var fields: [(String, JSONText)] = [
      ("type", .string("/problems/\(kind.rawValue)")), ("title", .string(kind.title)),
      ("status", .integer(Int64(kind.status))), ("detail", .string(detail)),
    ]
    if !faults.isEmpty {
      fields.append(("faults", .array(faults.map { $0.json })))
    }
    if let report { fields.append(("report", report)) }
    return .object(fields)
  }
}

extension Fault {
  fileprivate var json: JSONText {
    .object([
      ("file", .string(file)), ("line", .integer(Int64(line))), ("column", .integer(Int64(column))),
      ("path", .string(path)), ("message", .string(message)), ("mend", .string(mend)),
    ])
  }
}
