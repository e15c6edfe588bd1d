import Formats
import Foundation
import HTTPClient
import Operators
import StreamModel

/// Asks an HTTP service for the rows of a key.
///
/// 200 with a JSON object is one row, with an array one a element; `null`, an empty array, 204 and 404 say that there is none. 429, 5xx
/// and no answer within the timeout may pass; anything else is wrong, and is not asked again at once. What is wrong is never taken
/// for a row: every value must decode as its column's type, and a member that has the name of a key's column must have its value.
final class HTTPTableClient: TableClient {
  private let spec: HTTPTableSpec
  private let place: String
  private let layout: TableLayout
  private let decoder: TableRowDecoder
  private let client = HTTPClient()

  /// The most bytes of an answer that a message shows.
  private static let maxShownBytes = 200

  init(_ spec: HTTPTableSpec, place: String, layout: TableLayout) {
    self.spec = spec
    self.place = place
    self.layout = layout
    decoder = TableRowDecoder(layout, place: place)
  }

  func close() { client.close() }

  func rows(of key: [Value]) throws(TableFailure) -> RecordBatch {
    let address = spec.url.filled { HTTPTableClient.escaped(key[$0].plainText) }
    guard URL(string: address)?.scheme != nil else {
      throw TableFailure(.wrong, "\(place): \(address) is no URL — correct `url:`")
    }
    var request = HTTPClient.Request(address, timeoutMilliseconds: spec.timeoutMilliseconds)
    request.headers = spec.headers
    if !spec.headers.contains(where: { $0.name.lowercased() == "accept" }) {
      request.headers.append(("Accept", "application/json"))
    }
    switch client.send(request) {
    case .nothing(let reason): throw TableFailure(.unavailable, "\(place): \(address) does not answer: \(reason)")
    case .tooLong:
      throw TableFailure(.wrong, "\(place): \(address) answers with more than \(request.maxAnswerBytes) bytes")
    case .answer(let status, let body):
      switch status {
      case 200: return try rows(in: String(decoding: body, as: UTF8.self), key, address)
      case 204, 404: return decoder.none
      case 429, 500...: throw TableFailure(.unavailable, "\(place): \(address) fails (\(status)): \(shown(body))")
      default: throw TableFailure(.wrong, "\(place): \(address) refuses (\(status)): \(shown(body))")
      }
    }
  }

  private func shown(_ body: [UInt8]) -> String {
    String(decoding: body.prefix(HTTPTableClient.maxShownBytes), as: UTF8.self)
  }

  /// A part of a URL, so that it is one whatever is in it.
  static func escaped(_ text: String) -> String {
    var allowed = CharacterSet.alphanumerics
    allowed.insert(charactersIn: "-._~")
    return text.addingPercentEncoding(withAllowedCharacters: allowed) ?? text
  }

  // MARK: - Answers

  private func rows(in text: String, _ key: [Value], _ address: String) throws(TableFailure) -> RecordBatch {
    func wrong(_ what: String) -> TableFailure {
      TableFailure(.wrong, "\(place): the answer of \(address) is wrong: \(what)")
    }
    let answer: JSONNode
    do { answer = try JSONNode.parse(text) } catch { throw wrong("\(error): \(text.prefix(80))") }
    let objects: [JSONNode]
    switch HTTPTableClient.member(answer, spec.rows, key) {
    case nil where spec.rows.isEmpty, .null?: objects = []
    case nil: throw wrong("it has no \(spec.rows.map(\.text).joined(separator: "."))")
    case .array(let elements)?: objects = elements
    case .object(let members)?: objects = [.object(members)]
    case .some(let other): throw wrong("\(other) is no object")
    }
    var lines = ""
    for object in objects {
      guard case .object = object else { throw wrong("\(object) is no object") }
      if let other = otherKey(object, key) { throw wrong(other) }
      lines += "\(flat(object, key))\n"
    }
    return try decoder.decode(lines, count: objects.count, of: "the answer of \(address)")
  }

  private static func member(_ node: JSONNode, _ path: [HTTPTableSpec.Template], _ key: [Value]) -> JSONNode? {
    var node: JSONNode? = node
    for name in path { node = node?[name.filled { key[$0].plainText }] }
    return node
  }

  /// What is wrong with an object that says it is of another key.
  private func otherKey(_ object: JSONNode, _ key: [Value]) -> String? {
    for (column, value) in zip(layout.key, key) {
      let name = layout.schema[column].name
      guard spec.columns[name] == nil, case .string(let text)? = object[name], case .string(let own) = value else {
        continue
      }
      if text != own { return "it is of \(name) \(text), not \(own)" }
    }
    return nil
  }

  /// The columns of a row as one flat object.
  private func flat(_ object: JSONNode, _ key: [Value]) -> JSONNode {
    .object(
      decoder.schema.fields.compactMap { field in
        let value =
          spec.columns[field.name].map { HTTPTableClient.member(object, $0, key) } ?? object[field.name]
        return value.map { JSONNode.Member(field.name, $0) }
      })
  }
}
