import Connectors
import Formats
import Operators
import StreamModel

/// Checks a whole document and makes the plan, gathering every fault on the way.
///
/// Order: settings; sources; the steps' texts, their order, then each behind its inputs; dead letters, sinks, views. What
/// depends on something faulty is checked as far as it is known, so that a fault is reported once and where it is.
struct TopologyChecker {
  private let root: Section
  private let file: String
  private let base: String
  private let settings: SettingsChecker
  private var catalog = StreamCatalog()
  private var sources: [SourcePlan] = []
  private var steps: [StepPlan] = []
  private var sinks: [SinkPlan] = []
  private var views: [ViewPlan] = []
  private var conflicts = PathConflicts()
  private var kafka = KafkaConflicts()
  private var notes: [String] = []

  /// `file` is absolute.
  init(root: Section, file: String) {
    self.root = root
    self.file = file
    base = TopologyFile.directory(of: file)
    settings = SettingsChecker(root: root, base: base)
  }

  /// The plan; nil where there are faults.
  mutating func check() -> LogicalPlan? {
    root.checkKeys(SettingsChecker.keys)
    settings.checkVersion()
    let (name, description, parallelism) = (settings.name(), settings.description(), settings.parallelism())
    let (checkpoint, memory, restart) = (settings.checkpoint(), settings.stateMemory(), settings.restart())
    checkSources()
    checkSteps()
    let deadLetters = checkDeadLetters(name, checkpoint)
    checkSinks()
    checkViews()
    if let checkpoint { kafka.check(checkpoint) }
    guard root.faults.isEmpty, let name, let description, let parallelism, let checkpoint, let memory, let restart,
      let deadLetters
    else { return nil }
    return LogicalPlan(
      name: name, description: description, file: file, parallelism: parallelism, checkpoint: checkpoint,
      stateMemoryBytes: memory, restart: restart, deadLetters: deadLetters, sources: sources, steps: steps,
      sinks: sinks,
      views: views, notes: notes)
  }

  private func collection(_ key: String, _ expected: String) -> [(name: String, item: Item)] {
    root[key]?.openSection(expected: expected)?.items ?? []
  }

  // MARK: Sources and steps

  private mutating func checkSources() {
    let items = collection("sources", "sources by name")
    if items.isEmpty {
      missing("sources", "there is nothing to read", "add a source: sources: {usage: {connector: generator}}")
    }
    for (name, item) in items {
      Names.checkPart(name, item)
      catalog.declare(name, as: .source)
      guard let section = item.openSection(expected: "a connector and its settings") else { continue }
      let outcome = SourceChecker(name: name, section: section, base: base).check(notes: &notes)
      catalog.set(outcome.stream, of: name)
      guard let plan = outcome.plan else { continue }
      sources.append(plan)
      conflicts.add(plan)
    }
  }

  private func missing(_ key: String, _ message: String, _ mend: String) {
    if let item = root[key] {
      item.keyFault(message, mend)
    } else {
      root.faults.report(root.keyPlace, key, message, mend)
    }
  }

  private mutating func checkSteps() {
    var drafts: [StepDraft] = []
    for (name, item) in collection("steps", "steps by name") {
      if catalog.holds(name) {
        item.keyFault("`\(Shown.text(name))` is the name of a source already", "choose another name")
        continue
      }
      let draft = StepDraft(name: name, item: item)
      catalog.declare(name, as: draft.map(StreamCatalog.Producer.step) ?? .unknown)
      if let draft { drafts.append(draft) }
    }
    for draft in drafts { for written in draft.allInputs { catalog.check(written) } }
    for index in StepOrder(drafts).order { check(drafts[index]) }
  }

  private mutating func check(_ draft: StepDraft) {
    let policy =
      draft.section["on_error"].map { $0.choice(["dead_letter", "fail"]).flatMap(ErrorPolicy.init(rawValue:)) }
      ?? .deadLetter
    let input = catalog.union(draft.inputs)
    let right = draft.rightInputs.isEmpty ? nil : catalog.union(draft.rightInputs)
    let outcome = StepChecker(draft: draft, input: input, right: right, base: base).check(notes: &notes)
    catalog.set(outcome.stream, of: draft.name)
    for (port, shape) in outcome.ports { catalog.set(shape, of: draft.name, on: port) }
    guard !draft.isFaulty, let policy, let input, let operation = outcome.operation, let output = outcome.stream else {
      return
    }
    steps.append(
      StepPlan(
        name: draft.name, inputs: draft.inputs.map(\.reference), rightInputs: draft.rightInputs.map(\.reference),
        operation: operation, inputSchema: input.schema, outputSchema: output.schema,
        ports: outcome.ports.mapValues(\.schema), onError: policy))
  }

  // MARK: Sinks and views

  private mutating func checkDeadLetters(_ name: String?, _ checkpoint: CheckpointSettings?) -> SinkPlan? {
    guard let item = root["dead_letters"] else {
      guard let name, let checkpoint else { return nil }
      let path = "\(checkpoint.directory)/\(name)/dead-letters"
      return deadLetters(.init(connector: .file(path: path, format: .json), delivery: .exactlyOnce))
    }
    guard let section = item.openSection(expected: "{connector: file, path: ../out/dead-letters, format: json}") else {
      return nil
    }
    let checker = SinkChecker(section: section, base: base)
    guard let target = checker.check(common: ConnectorLanguage.deadLetterKeys, notes: &notes) else { return nil }
    if target.connector.format == .raw {
      section["format"]?.fault("dead letters have more than one column", "write json or csv")
    }
    conflicts.add(target.connector, named: "dead_letters", section["path"])
    kafka.add(target.connector, named: "dead_letters", section)
    let shape = StreamShape(schema: DeadLetters.schema, hasEventTime: true)
    return keyed(target.connector, shape, section).map { deadLetters(.init(connector: $0, delivery: target.delivery)) }
  }

  private func deadLetters(_ target: SinkChecker.Target) -> SinkPlan {
    SinkPlan(
      name: "dead_letters", inputs: [], connector: target.connector, schema: DeadLetters.schema,
      delivery: target.delivery)
  }

  private mutating func checkSinks() {
    let items = collection("sinks", "sinks by name")
    if items.isEmpty, collection("views", "views by name").isEmpty {
      missing("sinks", "nothing is written", "add a sink: sinks: {out: {from: STEP, connector: console}}")
    }
    for (name, item) in items {
      Names.checkPart(name, item)
      if name == "dead_letters" { item.keyFault("`dead_letters` is a sink of every topology", "choose another name") }
      guard let section = item.openSection(expected: "{from, connector, …}") else { continue }
      let references = section.required("from", "the step it writes: from: STEP").flatMap(References.read)
      for written in references ?? [] { catalog.check(written) }
      let target = SinkChecker(section: section, base: base).check(notes: &notes)
      if let target {
        conflicts.add(target.connector, named: name, section["path"])
        kafka.add(target.connector, named: name, section)
      }
      let stream = references.flatMap(catalog.union)
      if let stream, let target { checkFormat(target.connector, stream, section) }
      guard let references, let target, let stream, let connector = keyed(target.connector, stream, section) else {
        continue
      }
      sinks.append(
        SinkPlan(
          name: name, inputs: references.map(\.reference), connector: connector, schema: stream.schema,
          delivery: target.delivery))
    }
  }

  /// A Kafka sink's connector with its key's columns; nil, with a fault, where there are no such columns.
  private func keyed(_ connector: SinkConnector, _ stream: StreamShape, _ section: Section) -> SinkConnector? {
    guard case .kafka(var spec) = connector, let item = section["key"] else { return connector }
    let columns = stream.columns(item)
    guard columns.isComplete else { return nil }
    spec.key = columns.indices
    return .kafka(spec)
  }

  /// `raw` writes the bytes of one column; Avro's fields have names of their own kind.
  private func checkFormat(_ connector: SinkConnector, _ stream: StreamShape, _ section: Section) {
    if case .avro = connector.format {
      for field in stream.schema.fields where !AvroNames.isName(field.name) {
        section["format"]?.fault(
          "the column `\(Shown.text(field.name))` cannot be an Avro field",
          "`select` it under a name of letters, digits and _, such as \(TopologyChecker.avroName(field.name))")
      }
    }
    guard connector.format == .raw, stream.schema.count != 1 || stream.schema[0].type.layout != .view else { return }
    section["format"]?.fault(
      "raw writes one column of type bytes or string", "write json or csv, or `select` that column")
  }

  private static func avroName(_ name: String) -> String {
    let letters = name.map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
    return letters.first?.isNumber ?? true ? "_" + String(letters) : String(letters)
  }

  private mutating func checkViews() {
    for (name, item) in collection("views", "views by name") {
      Names.checkPart(name, item)
      let known = ["from", "key", "retain", "account", "mask"]
      guard let section = item.section(known, expected: "{from, key, retain, account, mask}") else { continue }
      let retain = section["retain"].map { $0.duration(atLeast: 1) }
      let reference = section.required("from", "the step it shows: from: STEP").flatMap(readViewInput)
      if let reference { catalog.check(reference) }
      let key = section.required("key", "the columns that tell rows apart: key: [account_id]")
      guard let reference, let stream = catalog.stream(reference), let key else { continue }
      let columns = stream.columns(key)
      guard !columns.isComplete || !columns.indices.isEmpty else {
        key.fault("is empty", "list the columns that tell rows apart: key: [account_id]")
        continue
      }
      let access = ViewAccessChecker(stream: stream, key: columns).check(section)
      guard retain != .some(nil), columns.isComplete, let access else { continue }
      views.append(
        ViewPlan(
          name: name, input: reference.reference, schema: stream.schema, key: columns.indices,
          hasEventTime: stream.hasEventTime, retainMilliseconds: retain ?? nil, account: access.account,
          masked: access.masked))
    }
  }

  private func readViewInput(_ item: Item) -> WrittenReference? {
    guard let references = References.read(item) else { return nil }
    guard references.count == 1 else {
      item.fault("is a list", "name one stream; make a union in a step")
      return nil
    }
    return references[0]
  }
}
