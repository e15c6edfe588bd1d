import Operators
import StreamModel

/// The streams that a topology's parts may read, by name.
///
/// First every name is declared, then references are checked, then streams are set in an order in which each is set before
/// it is read.
struct StreamCatalog {
  /// What a name stands for.
  enum Producer {
    case source
    case step(StepDraft)
    /// A step that cannot be read.
    case unknown
  }

  private var producers: [String: Producer] = [:]
  /// In the order of the file, for suggestions.
  private var names: [String] = []
  private var streams: [StreamReference: StreamShape] = [:]

  mutating func declare(_ name: String, as producer: Producer) {
    producers[name] = producer
    names.append(name)
  }

  func holds(_ name: String) -> Bool { producers[name] != nil }

  /// Nil where a fault leaves the stream unknown.
  mutating func set(_ stream: StreamShape?, of name: String, on port: SidePort? = nil) {
    streams[StreamReference(producer: name, port: port)] = stream
  }

  /// Reports a reference to something that is not there.
  func check(_ written: WrittenReference) {
    let (reference, item) = (written.reference, written.item)
    guard let producer = producers[reference.producer] else {
      let mend = NearestName.suggestion(for: reference.producer, among: names, otherwise: "add it")
      item.fault("there is no source or step `\(written.shown)`", mend)
      return
    }
    guard let port = reference.port else { return }
    switch producer {
    case .unknown: break
    case .source:
      item.fault(
        "`\(written.shown)`: a source has no port",
        "read `\(reference.producer)`; what does not decode flows to dead_letters")
    case .step(let step):
      guard let kind = step.operation?.kind, !kind.ports.contains(port) else { return }
      let ports = kind.ports.map { "`\(reference.producer).\($0.rawValue)`" }
      item.fault(
        "`\(kind.rawValue)` has no port `\(port.rawValue)`",
        ports.isEmpty ? "read `\(reference.producer)`" : "read \(Shown.alternatives(ports))")
    }
  }

  /// The stream of a reference; nil where it is not known. A port that a step turns out not to have is a fault.
  func stream(_ written: WrittenReference) -> StreamShape? {
    let reference = written.reference
    if let stream = streams[reference] { return stream }
    guard let port = reference.port, case .step(let step)? = producers[reference.producer],
      let (kind, operation) = step.operation, kind.ports.contains(port),
      streams[StreamReference(producer: reference.producer)] != nil
    else { return nil }
    if kind == .join {
      written.item.fault(
        "`\(written.shown)` holds rows of both sides, whose columns differ",
        "leave it to dead_letters, or make the columns of both sides equal")
    } else if kind == .aggregate, operation.peek("window") == nil {
      written.item.fault(
        "`\(written.shown)` is the port of a running aggregate, for which no row is late",
        "add a window, or remove this")
    }
    return nil
  }

  /// The stream that several references make together; nil where one is not known. Different columns are a fault.
  func union(_ references: [WrittenReference]) -> StreamShape? {
    var whole: StreamShape?
    var isKnown = !references.isEmpty
    for written in references {
      guard let stream = stream(written) else {
        isKnown = false
        continue
      }
      guard let sum = whole else {
        whole = stream
        continue
      }
      if sum.schema != stream.schema, sum.opaque.isEmpty, stream.opaque.isEmpty {
        written.item.fault(
          "`\(written.shown)` has other columns than `\(references[0].shown)`: \(difference(sum.schema, stream.schema))",
          "make them equal with a `select` before the union")
        isKnown = false
      }
      whole = sum.united(with: stream)
    }
    return isKnown ? whole : nil
  }

  /// The first difference between two schemas.
  private func difference(_ first: Schema, _ second: Schema) -> String {
    func shown(_ schema: Schema, _ index: Int) -> String {
      index < schema.count ? "`\(Schema([schema[index]]))`" : "nothing"
    }
    let index = (0..<max(first.count, second.count)).first { index in
      index >= first.count || index >= second.count || first[index] != second[index]
    }
    let position = index ?? 0
    return "column \(position + 1) is \(shown(second, position)), not \(shown(first, position))"
  }
}
