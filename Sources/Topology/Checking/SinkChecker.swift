import Connectors
import StreamModel

/// Checks a sink's connector; `dead_letters` is one too.
struct SinkChecker {
  let section: Section
  let base: String

  /// A connector and how it delivers.
  struct Target {
    let connector: SinkConnector
    let delivery: Delivery
  }

  /// The target of a sink, or of the dead letters; nil, with faults, where it is faulty.
  func check(common: [String] = ConnectorLanguage.sinkKeys, notes: inout [String]) -> Target? {
    let connector = ConnectorLanguage.read(section, among: ConnectorLanguage.sinks, common: common, notes: &notes)
    let delivery = readDelivery(connector)
    guard let connector, let settings = readConnector(connector, delivery), let delivery else { return nil }
    return Target(connector: settings, delivery: delivery)
  }

  private func readConnector(_ connector: ConnectorLanguage, _ delivery: Delivery?) -> SinkConnector? {
    switch connector.name {
    case "console": return .console
    case "blackhole": return .blackhole
    case "kafka": return KafkaChecker(section: section, base: base).sink(delivery)
    case "file":
      let format = FormatChecker(section: section, base: base).read(allowed: ["json", "csv", "avro", "raw"])
      let path = section.required("path", "a directory: path: ../out/hourly").flatMap {
        PathText.read($0, relativeTo: base)
      }
      guard let format, let path else { return nil }
      return .file(path: path, format: format)
    default:
      if connector.keys != nil {
        _ = FormatChecker(section: section, base: base).read(allowed: ["json", "csv", "avro"])
      }
      return nil
    }
  }

  /// Exactly once where the system can, unless the sink asks for less.
  private func readDelivery(_ connector: ConnectorLanguage?) -> Delivery? {
    let canRepeat = connector.map { $0.name == "console" } ?? false
    guard let item = section["delivery"] else { return canRepeat ? .atLeastOnce : .exactlyOnce }
    let words = [Delivery.exactlyOnce, .atLeastOnce].map(\.rawValue)
    guard let delivery = item.choice(words).flatMap(Delivery.init(rawValue:)) else { return nil }
    if canRepeat, delivery == .exactlyOnce {
      item.fault("the console cannot take back rows after a crash", "write at_least_once, or use a file sink")
      return nil
    }
    return delivery
  }
}

/// Finds sinks that would write into one another, or into what a source reads.
struct PathConflicts {
  private var sinks: [(path: String, name: String)] = []
  private var sources: [(path: String, name: String)] = []

  mutating func add(_ source: SourcePlan) {
    if case .file(let spec) = source.connector { sources.append((spec.path, source.name)) }
  }

  /// Reports a conflict of the sink at `item`, its `path:`, with what was added before.
  mutating func add(_ connector: SinkConnector, named name: String, _ item: Item?) {
    guard case .file(let path, _) = connector else { return }
    if let other = sinks.first(where: { PathConflicts.isInside(path, $0.path) || PathConflicts.isInside($0.path, path) }
    ) {
      item?.fault("is, holds or lies in the directory of `\(other.name)`", "give each sink a directory of its own")
    }
    if let source = sources.first(where: { PathConflicts.isInside(path, $0.path) }) {
      item?.fault(
        "lies in what the source `\(source.name)` reads: the job would read its own output", "write elsewhere")
    }
    sinks.append((path, name))
  }

  private static func isInside(_ path: String, _ directory: String) -> Bool {
    path == directory || path.hasPrefix(directory.hasSuffix("/") ? directory : directory + "/")
  }
}
