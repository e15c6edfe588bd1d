/// Reads a topology file into a checked plan. Nothing is started, opened but the file itself and the schemas it names, or created.
package enum TopologyLoader {
  /// Loads the topology at `file`.
  ///
  /// - Parameters:
  ///   - overrides: What `--set` gave: `path=value` each, in order.
  ///   - environment: For `${NAME}` and `${NAME:-default}`.
  /// - Throws: All faults of the topology, found in one pass.
  package static func load(
    file: String, overrides: [String], environment: [String: String]
  ) throws(TopologyError) -> LogicalPlan {
    switch TopologyFile.read(file) {
    case .text(let text):
      return try load(text: text, file: file, overrides: overrides, environment: environment)
    case .unreadable(let message, let mend, let bytesBefore):
      let before = SourceText(String(decoding: bytesBefore, as: UTF8.self))
      let place = before.place(of: before.scalars.count)
      throw TopologyError(
        faults: [Fault(file: file, line: place.line, column: place.column, path: "", message: message, mend: mend)])
    }
  }

  /// Loads a topology's text as if it stood in `file`.
  package static func load(
    text: String, file: String, overrides: [String] = [], environment: [String: String] = [:]
  ) throws(TopologyError) -> LogicalPlan {
    let faults = FaultCollector(file: file, source: SourceText(text))
    let path = TopologyFile.absolute(file, relativeTo: TopologyFile.currentDirectory())
    let plan = plan(faults, path: path, overrides: overrides, environment: environment)
    guard faults.isEmpty else { throw TopologyError(faults: faults.faults) }
    guard let plan else { preconditionFailure("a topology without a plan has a fault") }
    return plan
  }

  private static func plan(
    _ faults: FaultCollector, path: String, overrides: [String], environment: [String: String]
  ) -> LogicalPlan? {
    guard let read = YAMLReader.read(faults) else { return nil }
    guard case .mapping = read.content else {
      faults.report(read.place, "", "is no topology", "begin with `weir: 1` and `topology: NAME`")
      return nil
    }
    let overridden = Overrides(faults: faults).apply(overrides, to: read)
    let filled = EnvironmentVariables(values: environment, faults: faults).fill(overridden)
    guard case .mapping(let entries) = filled.content else { return nil }
    var checker = TopologyChecker(
      root: Section(entries: entries, keyPlace: .start, path: "", faults: faults), file: path)
    return checker.check()
  }
}
