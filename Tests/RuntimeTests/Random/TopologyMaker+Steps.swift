import Operators
import StreamModel
import TestSupport

extension TopologyMaker {
  /// Adds a step of a random kind to a random stream.
  mutating func addStep() {
    // Of two streams the later one, so that chains grow.
    let choices = [0, 1].map { _ in Int(random.int(0...Int64(streams.count - 1))) }
    var input = streams[max(choices[0], choices[1])]
    var inputs = [input.name]
    if random.chance(0.35), let other = unionPartner(of: input) {
      inputs.append(other.name)
      input = TopologyMaker.union(input, other)
    }
    guard input.isExact && input.hasEventTime else {
      if !input.hasEventTime || random.chance(0.6) { return addExtend(input, inputs) }
      return addPaneFilter(input, inputs)
    }
    switch random.int(0...13) {
    case 0: addFilter(input, inputs)
    case 1: addExtend(input, inputs)
    case 2: addSelect(input, inputs)
    case 3, 4: addChange(input, inputs)
    case 5, 6: addDeduplicate(input, inputs)
    case 7, 8: addJoin(input, inputs)
    default: addAggregate(input, inputs)
    }
  }

  static func union(_ left: TestStream, _ right: TestStream) -> TestStream {
    var union = left
    union.mayBeBehind = left.mayBeBehind || right.mayBeBehind
    union.isLocal = left.isLocal && right.isLocal
    union.isInOrder = left.isInOrder && right.isInOrder
    union.isVerbatim = left.isVerbatim && right.isVerbatim
    let meets = !left.sources.isDisjoint(with: right.sources)
    union.hasCopies = left.hasCopies || right.hasCopies || (meets && !union.isVerbatim)
    union.sources = left.sources.union(right.sources)
    union.uniqueKey = nil
    union.depth = max(left.depth, right.depth)
    return union
  }

  private mutating func add(_ operation: TestOperation, _ input: TestStream, _ inputs: [StreamName]) -> String {
    let name = freshName("step")
    topology.steps.append(TestStep(name: name, inputs: inputs, operation: operation, inputFields: input.fields))
    return name
  }

  private mutating func addStream(
    _ stream: TestStream, _ producer: String, port: SidePort? = nil, _ change: (inout TestStream) -> Void
  ) {
    var changed = stream
    change(&changed)
    streams.append(changed.renamed(StreamName(producer: producer, port: port)))
  }

  // MARK: Without state

  private mutating func addFilter(_ input: TestStream, _ inputs: [StreamName]) {
    var condition = ConditionMaker(fields: input.fields).make(&random)
    if random.chance(0.15), let (_, quotient) = ValueMaker(fields: input.fields).quotient(&random) {
      condition = .strict("\(quotient.sql) > 1", .boolean, [quotient]) {
        guard case .decimal(let digits, let scale) = $0[0] else { throw RowFault("no decimal") }
        return .boolean(digits > ValueArithmetic.power(scale))
      }
    }
    let name = add(.filter(condition), input, inputs)
    addStream(input, name) { _ in }
    addStream(input, name, port: .rejected) { _ in }
  }

  /// The panes that come once: of a stream without rows behind, `on_time`.
  private mutating func addPaneFilter(_ input: TestStream, _ inputs: [StreamName]) {
    guard case .final(_, let pane, _) = input.promise, !input.mayBeBehind else { return addExtend(input, inputs) }
    let condition = TestExpression("pane = 'on_time'", .boolean, nullable: false) {
      .boolean($0[pane] == .string("on_time"))
    }
    let name = add(.filter(condition), input, inputs)
    topology.steps[topology.steps.count - 1].choosesPane = true
    addStream(input, name) { $0.promise = .exact }
  }

  private mutating func addExtend(_ input: TestStream, _ inputs: [StreamName]) {
    var columns: [ProjectedColumn] = []
    for _ in 0..<random.int(1...3) {
      let column = ValueMaker(fields: input.fields).make(&random, suffix: freshName("_"))
      // Where only the last row of a key counts, a row that fails would let the one before stand.
      if input.isExact || !column.canFail { columns.append(column) }
    }
    if columns.isEmpty { columns = [.constant(freshName("i_"))] }
    let name = add(.project(columns, keepsColumns: true), input, inputs)
    addStream(input, name) { stream in
      stream.fields += columns.map(\.field)
      stream.isVerbatim = false
    }
  }

  private mutating func addSelect(_ input: TestStream, _ inputs: [StreamName]) {
    var columns: [ProjectedColumn] = []
    let kept = input.fields.indices.filter { ["account", "at"].contains(input.fields[$0].name) || random.chance(0.6) }
    for index in kept.shuffled(using: &random) where input.fields[index].name != "at" || random.chance(0.7) {
      columns.append(ProjectedColumn(name: input.fields[index].name, expression: .column(index, input.fields)))
    }
    for _ in 0..<random.int(0...2) {
      columns.append(ValueMaker(fields: input.fields).make(&random, suffix: freshName("_")))
    }
    if columns.isEmpty { columns = [.constant(freshName("i_"))] }
    let name = add(.project(columns, keepsColumns: false), input, inputs)
    let names = Set(columns.map(\.name))
    addStream(input, name) { stream in
      stream.fields = columns.map(\.field)
      stream.isVerbatim = false
      stream.isLocal = stream.isLocal && names.contains("account")
      if let key = stream.uniqueKey, !names.isSuperset(of: key) { stream.uniqueKey = nil }
    }
  }

  /// An `extend` that keeps the schema, so that the way around it can meet it again.
  private mutating func addChange(_ input: TestStream, _ inputs: [StreamName]) {
    guard let index = input.fields.firstIndex(where: { $0.name == "i" && $0.type == .int64 && $0.nullable }),
      !(input.uniqueKey ?? []).contains("i")
    else { return addFilter(input, inputs) }
    let sum = ValueMaker.plus(.column(index, input.fields), random.int(1...3))
    let column = ProjectedColumn(name: "i", expression: sum, replaces: index)
    let name = add(.project([column], keepsColumns: true), input, inputs)
    addStream(input, name) { $0.isVerbatim = false }
  }

  // MARK: Keyed

  /// Key columns: mostly with `account`, doubles left out.
  mutating func makeKey(_ stream: TestStream, atMost: Int) -> [Int] {
    let usable = stream.fields.indices.filter { index in
      stream.fields[index].type != .double
        && !["window_start", "window_end", "pane"].contains(stream.fields[index].name)
    }
    var key = usable.shuffled(using: &random).prefix(Int(random.int(0...Int64(atMost)))).map { $0 }
    if let account = stream.index("account"), !key.contains(account), random.chance(0.7) { key.append(account) }
    return key
  }

  private mutating func addDeduplicate(_ input: TestStream, _ inputs: [StreamName]) {
    var key = makeKey(input, atMost: 1)
    if let unique = input.uniqueKey, input.isMade { key = unique.compactMap { input.index($0) } }
    guard !key.isEmpty, input.allowsDeduplication(key) else { return addAggregate(input, inputs) }
    let within = [1, unit, 5 * unit, 40 * unit][Int(random.int(0...3))]
    let name = add(.deduplicate(key: key, within: within, isInterleaved: input.isInterleaved), input, inputs)
    for port in [nil, SidePort.duplicates, .late] {
      addStream(input, name, port: port) { stream in
        stream.isInOrder = false
        stream.depth += 1
      }
    }
  }

  private mutating func addAggregate(_ input: TestStream, _ inputs: [StreamName]) {
    let key = makeKey(input, atMost: 2)
    let window = random.chance(0.12) ? nil : makeWindow(input, key)
    var lateness: Int64 = 0
    var every: Int64?
    if window != nil {
      if random.chance(0.3) { lateness = [1, unit, 10 * unit, 50 * unit][Int(random.int(0...3))] }
      if random.chance(0.15) { every = random.int(1...20) }
    } else if random.chance(0.7) {
      every = random.int(1...20)
    }
    let hasPane = window != nil && (lateness > 0 || every != nil)
    let maker = AggregateMaker(
      fields: input.fields, allowsOrder: input.ordersTies(key),
      allowsOverflow: input.allowsOverflow(key) && (window?.isSingle ?? true),
      allowsFailingResults: window != nil && !hasPane)
    let values = (0..<random.int(1...4)).map { _ in maker.make(&random, suffix: freshName("_")) }
    let step = TestAggregateStep(key: key, window: window, values: values, lateness: lateness, emitEvery: every)
    let name = add(.aggregate(step), input, inputs)
    streams.append(TopologyMaker.results(of: step, input).renamed(StreamName(producer: name)))
    guard window != nil else { return }
    addStream(input, name, port: .late) { stream in
      stream.isInOrder = false
      stream.depth += 1
    }
  }

  /// What is known of an aggregate's output.
  private static func results(of step: TestAggregateStep, _ input: TestStream) -> TestStream {
    var fields = step.key.map { input.fields[$0] }
    let key = Array(fields.indices)
    if step.window != nil { fields += ["window_start", "window_end"].map { Field($0, .timestamp, nullable: false) } }
    fields += step.values.map { Field($0.name, $0.type, nullable: !$0.isCount) }
    if step.hasPane { fields.append(Field("pane", .string, nullable: false)) }
    var stream = TestStream(name: input.name, fields: fields, isMade: true, mayBeBehind: input.mayBeBehind)
    stream.hasEventTime = step.window != nil
    stream.depth = input.depth + 1
    if step.window == nil {
      stream.promise = .latest(key: key)
    } else if step.hasPane {
      stream.promise = .final(key: key + [key.count, key.count + 1], pane: fields.count - 1, isSession: step.isSession)
    } else {
      stream.mayBeBehind = false
    }
    if step.window?.hasOneEnd ?? false { stream.uniqueKey = key.map { fields[$0].name } }
    return stream
  }

  // MARK: Join

  private mutating func addJoin(_ input: TestStream, _ inputs: [StreamName]) {
    guard let right = streams.filter({ $0.isExact && $0.hasEventTime && $0.depth < 2 }).randomElement(using: &random),
      let leftKey = input.index("account"), let rightAccount = right.index("account"), input.depth < 2
    else { return addAggregate(input, inputs) }
    // The right side is renamed first, so that only the key is shared.
    let suffix = freshName("_r")
    let columns = right.fields.indices.map { index in
      let name = right.fields[index].name
      return ProjectedColumn(name: name == "account" ? name : name + suffix, expression: .column(index, right.fields))
    }
    let renamed = add(.project(columns, keepsColumns: false), right, [right.name])
    let fields = columns.map(\.field)
    addStream(right, renamed) { stream in
      stream.fields = fields
      stream.isVerbatim = false
      stream.uniqueKey = nil
    }
    var keys = [(leftKey, rightAccount)]
    if random.chance(0.3), let kind = input.index("kind"),
      let other = fields.firstIndex(where: { $0.name == "kind" + suffix }),
      input.fields[kind].type == fields[other].type
    {
      keys.append((kind, other))
    }
    let bounds = [random.int(-6...6) * unit, random.int(-6...6) * unit].sorted()
    let join = TestJoin(
      isLeft: random.chance(0.5), leftKey: keys.map(\.0), rightKey: keys.map(\.1), lower: bounds[0], upper: bounds[1],
      rightColumns: fields.indices.filter { $0 != rightAccount }, rightFields: fields)
    let name = freshName("step")
    topology.steps.append(
      TestStep(
        name: name, inputs: inputs, rightInputs: [StreamName(producer: renamed)], operation: .join(join),
        inputFields: input.fields))
    addStream(input, name) { stream in
      stream.fields =
        input.fields
        + join.rightColumns.map {
          Field(fields[$0].name, fields[$0].type, nullable: fields[$0].nullable || join.isLeft)
        }
      stream.isMade = true
      stream.mayBeBehind = false
      stream.uniqueKey = nil
      stream.isVerbatim = false
      stream.sources = []
      stream.depth = max(input.depth, right.depth) + 1
    }
  }
}

extension TestStream {
  func renamed(_ name: StreamName) -> TestStream {
    var stream = TestStream(name: name, fields: fields)
    stream.promise = promise
    stream.isMade = isMade
    stream.mayBeBehind = mayBeBehind
    stream.isLocal = isLocal
    stream.isInOrder = isInOrder
    stream.hasCopies = hasCopies
    stream.isVerbatim = isVerbatim
    stream.sources = sources
    stream.uniqueKey = uniqueKey
    stream.hasEventTime = hasEventTime
    stream.depth = depth
    return stream
  }
}

extension ProjectedColumn {
  var field: Field { Field(name, expression.type, nullable: expression.isNullable) }

  static func constant(_ name: String) -> ProjectedColumn {
    ProjectedColumn(name: name, expression: TestExpression("7", .int64, nullable: false) { _ in .int64(7) })
  }

  /// Whether there may be rows it cannot be evaluated for.
  var canFail: Bool { ["/", "cast(", "big", " * ", "timestamp_add"].contains { expression.sql.contains($0) } }
}

extension TestAggregate {
  var isCount: Bool { sql.hasPrefix("count(") }
}

extension TestAggregateStep {
  var isSession: Bool {
    if case .session = window { return true }
    return false
  }
}
