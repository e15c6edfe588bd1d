import State
import StreamModel

/// A billing cycle: `[start, end)`.
struct BillingCycle: Hashable, Comparable {
  let start: EventTime
  let end: EventTime

  init(start: EventTime, end: EventTime) {
    self.start = start
    self.end = end
  }

  init(_ window: (start: EventTime, end: EventTime)) { self.init(start: window.start, end: window.end) }

  static func < (left: BillingCycle, right: BillingCycle) -> Bool { (left.end, left.start) < (right.end, right.start) }
}

/// What is kept of one key in one billing cycle.
protocol CycleValue {
  /// What a key has of which nothing is known.
  static var none: Self { get }
  /// Whether anything is known.
  var isPresent: Bool { get }
  /// Roughly the bytes that it holds beside its own.
  var heldBytes: Int { get }
  func encode(to writer: inout StateWriter)
  static func decode(_ reader: inout StateReader) throws(StateError) -> Self
}

/// The values of one billing cycle, by encoded key: those in memory, and what the state holds beyond them. One owner.
///
/// In the state: an entry for each key under the cycle's end and start.
final class CyclePane<Value: CycleValue> {
  let cycle: BillingCycle
  /// What the cycle's state keys begin with.
  let prefix: [UInt8]
  /// Its position among the panes, as long as it is one.
  let number: Int32
  private var table = GroupTable()
  /// By slot. One that is not present is known not to be in the state either.
  private var values: UnsafeMutablePointer<Value>
  private var count = 0
  private var capacity = CyclePane.leastCapacity
  private var heldBytes = 0
  private var dirty = DirtySlots()
  /// Says nothing: a loop that reads all values before they are worked on lets the processor overlap the cache misses.
  private var touched: UInt8 = 0
  /// Keys to read before the next rows are worked on.
  private var wanted = GroupTable()
  /// Whether the state has values that are not in memory, or any at all.
  private(set) var hasSpilled = false
  private(set) var isPersisted = false

  private static var leastCapacity: Int { 16 }

  init(_ cycle: BillingCycle, number: Int32) {
    self.cycle = cycle
    self.number = number
    prefix = CycleKey.prefix(cycle)
    values = .allocate(capacity: capacity)
  }

  deinit {
    values.deinitialize(count: count)
    values.deallocate()
  }

  var sizeBytes: Int {
    table.sizeBytes + capacity * MemoryLayout<Value>.stride + heldBytes + dirty.sizeBytes
  }

  /// The slot of `key`, made where there is none.
  @inline(__always) func slot(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Int32 {
    let slot = table.insert(key, hash: hash)
    if Int(slot) >= count { extend() }
    return slot
  }

  /// The values of many keys, made where there are none: of that of row `rows[i]` at `cells[places[i]]`. The caller
  /// changes them before anything else is done with the pane; values that change what they hold beside are changed one by one.
  func assign(
    _ keys: KeyBatch, rows: UnsafePointer<Int32>, places: UnsafePointer<Int32>, count: Int,
    slots: UnsafeMutablePointer<Int32>, to cells: UnsafeMutablePointer<UnsafeMutablePointer<Value>>
  ) {
    table.assign(keys, rows: rows, count: count, slots: slots)
    if table.slotCount > self.count { extend() }
    var sum: UInt8 = 0
    for index in 0..<count {
      let cell = values + Int(slots[index])
      cells[Int(places[index])] = cell
      sum &+= UnsafeRawPointer(cell).load(as: UInt8.self)
    }
    touched = sum
    dirty.mark(RowSelection(rows: rows, slots: UnsafePointer(slots), count: count), below: self.count)
  }

  /// Makes values for all slots.
  private func extend() {
    if table.slotCount > capacity {
      capacity = max(capacity * 2, table.slotCount)
      let larger = UnsafeMutablePointer<Value>.allocate(capacity: capacity)
      larger.moveInitialize(from: values, count: count)
      values.deallocate()
      values = larger
    }
    (values + count).initialize(repeating: .none, count: table.slotCount - count)
    count = table.slotCount
  }

  /// Changes the value in `slot` in place.
  @inline(__always) func change<Failure: Error>(
    _ slot: Int32, _ body: (inout Value) throws(Failure) -> Void
  ) throws(Failure) {
    let before = values[Int(slot)].heldBytes
    try body(&values[Int(slot)])
    heldBytes += values[Int(slot)].heldBytes - before
    dirty.mark(slot)
  }

  /// The value of `key`; `none` where there is none.
  @inline(__always) func value(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Value {
    let slot = table.slot(of: key, hash: hash)
    return slot < 0 ? .none : values[Int(slot)]
  }

  /// The state has values of this cycle.
  func restore() {
    hasSpilled = true
    isPersisted = true
  }

  // MARK: What is not in memory

  /// Notes that `key` will be asked for.
  func want(_ key: UnsafeRawBufferPointer, hash: UInt64) {
    if table.slot(of: key, hash: hash) < 0 { _ = wanted.insert(key, hash: hash) }
  }

  /// Reads what is wanted.
  func read(from state: OperatorState) throws(StateError) {
    guard wanted.count > 0 else { return }
    let keys = wanted.stateKeys(prefix)
    for (place, value) in zip(keys, try state.get(keys.map(\.key))) {
      let key = wanted.key(place.slot)
      let slot = slot(key, hash: KeyEncoder.hash(key))
      guard let value else { continue }
      values[Int(slot)] = try CycleKey.decode(value)
      heldBytes += values[Int(slot)].heldBytes
    }
    wanted = GroupTable()
  }

  /// Whether there are values that the state has not.
  var hasChanges: Bool { !dirty.isEmpty }

  /// Puts the values that the state has not into `run`.
  func write(to run: any StateRunWriter) throws(StateError) {
    let buffer = StateKeyBuffer()
    buffer.setPrefix(prefix)
    let noSuffix = UnsafeRawBufferPointer(start: nil, count: 0)
    for number in HashOrder.sorted(table, dirty.slots) {
      let slot = HashOrder.slot(number)
      guard values[Int(slot)].isPresent else { continue }
      var writer = StateWriter()
      values[Int(slot)].encode(to: &writer)
      let key = buffer.make(HashOrder.order(number), table.key(slot), suffix: noSuffix)
      var failure: StateError?
      writer.bytes.withUnsafeBytes { value in
        do throws(StateError) { try run.put(key, value) } catch { failure = error }
      }
      if let failure { throw failure }
    }
    dirty.removeAll()
    isPersisted = true
  }

  /// Forgets what is in memory, all of which is in the state.
  func letGo() {
    guard table.count > 0 else { return }
    table = GroupTable()
    wanted = GroupTable()
    dirty = DirtySlots()
    values.deinitialize(count: count)
    values.deallocate()
    capacity = CyclePane.leastCapacity
    values = .allocate(capacity: capacity)
    count = 0
    heldBytes = 0
    if isPersisted { hasSpilled = true }
  }

  /// Every key with its value: those in memory, then the others from the state.
  func forEach(
    from state: OperatorState?, _ body: (_ key: UnsafeRawBufferPointer, Value) throws(StateError) -> Void
  ) throws(StateError) {
    for slot in 0..<Int32(table.slotCount) where values[Int(slot)].isPresent {
      try body(table.key(slot), values[Int(slot)])
    }
    guard hasSpilled, let state else { return }
    let cursor = try state.makeCursor(prefix: prefix, isSweep: true)
    while cursor.isValid {
      guard cursor.key.count >= prefix.count + StateKey.hashLength else {
        throw .malformed("a value of a cycle with a key of \(cursor.key.count) bytes")
      }
      let key = UnsafeRawBufferPointer(rebasing: cursor.key[(prefix.count + StateKey.hashLength)...])
      if !value(key, hash: KeyEncoder.hash(key)).isPresent {
        try body(key, try CycleKey.decode([UInt8](cursor.value)))
      }
      cursor.next()
    }
    try cursor.check()
  }
}

/// State keys of billing cycles: table, end, start, then hash and key.
enum CycleKey {
  private static let stateTable: UInt8 = 0
  private static let prefixBytes = 17

  static func prefix(_ cycle: BillingCycle) -> [UInt8] {
    [stateTable] + StateKey.bytes(cycle.end) + StateKey.bytes(cycle.start)
  }

  /// The cycle that a state key begins with; nil where it is too short.
  private static func cycle(_ key: UnsafeRawBufferPointer) -> BillingCycle? {
    guard key.count >= prefixBytes + StateKey.hashLength else { return nil }
    return BillingCycle(start: StateKey.number(key, at: 9), end: StateKey.number(key, at: 1))
  }

  static func decode<Value: CycleValue>(_ bytes: [UInt8]) throws(StateError) -> Value {
    var reader = StateReader(bytes)
    let value = try Value.decode(&reader)
    guard reader.isAtEnd else { throw .malformed("a value of a cycle goes on after its end") }
    return value
  }

  /// The cycles of which the state has values of this subtask, found by going from one to the next.
  static func cycles(in state: OperatorState) throws(StateError) -> [BillingCycle] {
    var found: [BillingCycle] = []
    let end = StateStore.successor(of: [stateTable])
    let cursor = try state.makeCursor(from: [stateTable], to: end, isSweep: false)
    while cursor.isValid {
      guard let cycle = cycle(cursor.key), cycle.start < cycle.end else {
        throw .malformed("a value of a cycle with a key of \(cursor.key.count) bytes")
      }
      let prefix = prefix(cycle)
      let own = state.range(prefix: prefix)
      cursor.seek(own.from)
      if cursor.isValid, cursor.key.lexicographicallyPrecedes(own.to) { found.append(cycle) }
      cursor.seek(StateStore.successor(of: prefix))
    }
    try cursor.check()
    return found
  }
}

/// The panes of all cycles that may still be asked for, and the operator's part of the state behind them. One owner.
final class CyclePanes<Value: CycleValue> {
  private var panes: [BillingCycle: CyclePane<Value>] = [:]
  /// By number; nil for one that has gone.
  private(set) var numbered: [CyclePane<Value>?] = []
  /// Goes up when a pane comes or goes.
  private(set) var version = 0
  private var keyedState: OperatorState?
  var watermark = EventTimes.minimum

  subscript(cycle: BillingCycle) -> CyclePane<Value>? { panes[cycle] }

  /// In the order of their state keys.
  var all: [CyclePane<Value>] { panes.values.sorted { $0.cycle < $1.cycle } }

  /// Those of cycles that have ended by `time`, in that order.
  func ended(by time: EventTime) -> [CyclePane<Value>] {
    guard time >= firstEnd else { return [] }
    return all.filter { $0.cycle.end <= time }
  }

  /// When the first cycle ends.
  private var firstEnd = EventTimes.maximum

  var sizeBytes: Int { panes.values.reduce(0) { $0 + $1.sizeBytes } }
  var hasSpilled: Bool { panes.values.contains(where: \.hasSpilled) }

  func findOrMake(_ cycle: BillingCycle) -> CyclePane<Value> {
    if let pane = panes[cycle] { return pane }
    let number = numbered.firstIndex { $0 == nil } ?? numbered.count
    let pane = CyclePane<Value>(cycle, number: Int32(number))
    if number == numbered.count { numbered.append(pane) } else { numbered[number] = pane }
    panes[cycle] = pane
    firstEnd = min(firstEnd, cycle.end)
    version += 1
    return pane
  }

  /// Forgets a cycle, in the state too.
  func remove(_ pane: CyclePane<Value>) {
    if pane.isPersisted { keyedState?.deleteAll(prefix: pane.prefix) }
    panes[pane.cycle] = nil
    numbered[Int(pane.number)] = nil
    firstEnd = panes.keys.reduce(EventTimes.maximum) { min($0, $1.end) }
    version += 1
  }

  /// Every key of a pane with its value.
  func forEach(
    of pane: CyclePane<Value>, _ body: (_ key: UnsafeRawBufferPointer, Value) throws(StateError) -> Void
  ) throws(OperatorError) {
    do { try pane.forEach(from: keyedState, body) } catch { throw OperatorError(error) }
  }

  /// Reads what is wanted of all panes.
  func read() throws(OperatorError) {
    guard let keyedState else { return }
    do throws(StateError) { for pane in panes.values { try pane.read(from: keyedState) } } catch {
      throw OperatorError(error)
    }
  }

  // MARK: As an operator's state

  func attach(_ state: OperatorState, watermark: EventTime) throws(OperatorError) {
    keyedState = state
    self.watermark = watermark
    do throws(StateError) {
      for cycle in try CycleKey.cycles(in: state) { findOrMake(cycle).restore() }
    } catch {
      throw OperatorError(error)
    }
  }

  func snapshot() throws(OperatorError) -> EventTime {
    do { try writeChanges() } catch { throw OperatorError(error) }
    return watermark
  }

  func spill() throws(OperatorError) {
    do { try writeChanges() } catch { throw OperatorError(error) }
    for pane in panes.values { pane.letGo() }
  }

  private func writeChanges() throws(StateError) {
    let changed = all.filter(\.hasChanges)
    guard let keyedState, !changed.isEmpty else { return }
    try keyedState.addRun { (run) throws(StateError) in for pane in changed { try pane.write(to: run) } }
  }
}
