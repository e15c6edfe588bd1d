import State
import StreamModel

/// What stands before a group's accumulators in the state.
struct GroupHeader {
  /// Whether an early result or an upsert is owed.
  var isChanged = false
  /// The watermark that its last late row came behind; written only where there can be one.
  var stamp = EventTimes.minimum
}

/// Writes groups as entries of a sorted run, one or several (`GroupPack`) in each, and reads them into groups.
///
/// A value is a byte of flags, the stamp where `hasStamps`, and the accumulators: the record as it lies in memory where that
/// refers to nothing outside itself, what the accumulators encode otherwise.
struct GroupCodec {
  let hasStamps: Bool
  private let buffer = StateKeyBuffer()
  private let value = Scratch<UInt8>()
  private let pack = PackBuffer()

  init(hasStamps: Bool) { self.hasStamps = hasStamps }

  private var headerBytes: Int { hasStamps ? 9 : 1 }

  /// Puts `slots` of `store` into `run`, under `prefix`, with `suffix`.
  func put(
    _ store: GroupStore, _ slots: [Int32], prefix: [UInt8], suffix: [UInt8], to run: any StateRunWriter,
    header: ((Int32) -> GroupHeader)?
  ) throws(StateError) {
    buffer.setPrefix(prefix)
    try visit(store, slots, header) { (order, name, value) throws(StateError) in
      try put(order, name, value, suffix, to: run)
    }
  }

  /// The same for groups that owe nothing, where there are no entries with `suffix` yet and no others will come: in packs.
  func putPacks(
    _ store: GroupStore, _ slots: [Int32], prefix: [UInt8], suffix: [UInt8], to run: any StateRunWriter
  ) throws(StateError) {
    buffer.setPrefix(prefix)
    var start: UInt32?
    try visit(store, slots, nil) { (order, name, value) throws(StateError) in
      if let start, start != GroupPack.start(order) { try putPack(start, suffix, to: run) }
      if start != GroupPack.start(order) { pack.begin(GroupPack.marker) }
      start = GroupPack.start(order)
      pack.append(name)
      pack.append(value)
    }
    if let start { try putPack(start, suffix, to: run) }
  }

  private func putPack(_ start: UInt32, _ suffix: [UInt8], to run: any StateRunWriter) throws(StateError) {
    try put(start, UnsafeRawBufferPointer(start: nil, count: 0), pack.bytes, suffix, to: run)
  }

  private func put(
    _ order: UInt32, _ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, _ suffix: [UInt8],
    to run: any StateRunWriter
  ) throws(StateError) {
    var failure: StateError?
    suffix.withUnsafeBytes { suffix in
      let key = buffer.make(order, name, suffix: suffix)
      do throws(StateError) { try run.put(key, value) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Gives hash, name and value of `slots`, in the order of their state keys.
  private func visit(
    _ store: GroupStore, _ slots: [Int32], _ header: ((Int32) -> GroupHeader)?,
    _ body: (UInt32, UnsafeRawBufferPointer, UnsafeRawBufferPointer) throws(StateError) -> Void
  ) throws(StateError) {
    let order = HashOrder.sorted(store.table, slots)
    for (index, number) in order.enumerated() {
      if index % GroupCodec.touchedGroups == 0 { touch(store, order[index...].prefix(GroupCodec.touchedGroups)) }
      let slot = HashOrder.slot(number)
      try body(HashOrder.order(number), store.table.key(slot), value(store, slot, header?(slot) ?? GroupHeader()))
    }
  }

  /// Groups in the order of hashes lie anywhere: loads that don't wait for one another bring the next ones into the cache.
  private func touch(_ store: GroupStore, _ numbers: ArraySlice<UInt64>) {
    var seen: UInt8 = 0
    for number in numbers {
      let slot = HashOrder.slot(number)
      seen ^= store.table.keyStart(slot).load(as: UInt8.self) ^ store.accumulators.firstByte(slot)
    }
    value.base[0] = seen
  }

  private static let touchedGroups = 64

  /// The value of `slot`; valid until the next call.
  private func value(_ store: GroupStore, _ slot: Int32, _ header: GroupHeader) -> UnsafeRawBufferPointer {
    guard store.accumulators.isFlat else { return encoded(store, slot, header) }
    let record = store.accumulators.record(slot)
    let base = UnsafeMutableRawPointer(value.reserve(headerBytes + record.count))
    write(header, to: base)
    if let start = record.baseAddress { (base + headerBytes).copyMemory(from: start, byteCount: record.count) }
    return UnsafeRawBufferPointer(start: base, count: headerBytes + record.count)
  }

  private func encoded(_ store: GroupStore, _ slot: Int32, _ header: GroupHeader) -> UnsafeRawBufferPointer {
    var writer = StateWriter()
    store.accumulators.encode(slot, to: &writer)
    let base = UnsafeMutableRawPointer(value.reserve(headerBytes + writer.bytes.count))
    write(header, to: base)
    writer.bytes.withUnsafeBytes { bytes in
      if let start = bytes.baseAddress { (base + headerBytes).copyMemory(from: start, byteCount: bytes.count) }
    }
    return UnsafeRawBufferPointer(start: base, count: headerBytes + writer.bytes.count)
  }

  private func write(_ header: GroupHeader, to base: UnsafeMutableRawPointer) {
    base.storeBytes(of: header.isChanged ? 1 : 0, as: UInt8.self)
    if hasStamps { base.storeBytes(of: header.stamp.littleEndian, toByteOffset: 1, as: Int64.self) }
  }

  /// Reads a value into the empty record of `slot`.
  func read(
    _ value: UnsafeRawBufferPointer, into slot: Int32, of accumulators: AccumulatorStore
  ) throws(StateError) -> GroupHeader {
    guard value.count >= headerBytes else { throw .malformed("a group of \(value.count) bytes") }
    var header = GroupHeader(isChanged: value[0] & 1 != 0)
    if hasStamps { header.stamp = Int64(littleEndian: value.loadUnaligned(fromByteOffset: 1, as: Int64.self)) }
    let content = UnsafeRawBufferPointer(rebasing: value[headerBytes...])
    if accumulators.isFlat {
      guard accumulators.load(content, into: slot) else { throw .malformed("a group of \(value.count) bytes") }
      return header
    }
    var reader = StateReader([UInt8](content))
    try accumulators.decode(slot, from: &reader)
    guard reader.isAtEnd else { throw .malformed("a group goes on after its end") }
    return header
  }
}

extension GroupTable {
  /// The keys of `rows` that are not here.
  func missing(_ rows: UnsafePointer<Int32>, count: Int, _ keys: KeyBatch) -> GroupTable {
    let missing = GroupTable()
    for index in 0..<count {
      let row = Int(rows[index])
      if slot(of: keys.key(row), hash: keys.hashes[row]) >= 0 { continue }
      _ = missing.insert(keys.key(row), hash: keys.hashes[row])
    }
    return missing
  }

  /// The keys of `other` that are not here.
  func missing(_ other: GroupTable) -> GroupTable {
    let missing = GroupTable()
    for slot in 0..<Int32(other.slotCount) {
      let key = other.key(slot)
      let hash = KeyEncoder.hash(key)
      if self.slot(of: key, hash: hash) < 0 { _ = missing.insert(key, hash: hash) }
    }
    return missing
  }

  /// State keys under `prefix` of all keys, which ascend, and the slot of each.
  func stateKeys(_ prefix: [UInt8]) -> [(slot: Int32, key: [UInt8])] {
    HashOrder.sorted(self, [Int32](0..<Int32(slotCount))).map { number in
      let key = key(HashOrder.slot(number))
      return (HashOrder.slot(number), StateKey.make(prefix, key, hash: KeyEncoder.hash(key)))
    }
  }
}

extension GroupStore {
  /// Reads the groups with the keys of `wanted`, none of which is here, from the state. `note` is told of each.
  func load(
    _ wanted: GroupTable, prefix: [UInt8], from state: OperatorState, _ codec: GroupCodec,
    note: (Int32, GroupHeader) -> Void
  ) throws(StateError) {
    guard wanted.count > 0 else { return }
    let keys = wanted.stateKeys(prefix)
    for (place, value) in zip(keys, try state.get(keys.map(\.key))) {
      if let value { try add(wanted.key(place.slot), value, codec, note: note) }
    }
  }

  /// Puts a group that was read from the state here, where it is not yet.
  func add(
    _ key: UnsafeRawBufferPointer, _ value: [UInt8], _ codec: GroupCodec, note: (Int32, GroupHeader) -> Void
  ) throws(StateError) {
    let slot = insert(key, hash: KeyEncoder.hash(key))
    var result: Result<GroupHeader, StateError>?
    value.withUnsafeBytes { value in
      result = Result { () throws(StateError) in try codec.read(value, into: slot, of: accumulators) }
    }
    if let header = try result?.get() { note(slot, header) }
  }
}

/// Combines partial aggregates that are read from the state into the groups of a store. One owner.
final class PartialMerge {
  private let plan: AggregatePlan
  private let codec: GroupCodec
  /// Partial aggregates of groups that the target has already, to be combined with `targets`.
  private var staging: AccumulatorStore?
  private var targets: [Int32] = []

  private static let limit = 4096

  init(_ plan: AggregatePlan, _ codec: GroupCodec) {
    self.plan = plan
    self.codec = codec
  }

  /// Adds the partial aggregate `value` of `key`, later than those added before, to `target`, which is the same until `finish`.
  func add(
    _ key: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer, to target: GroupStore
  ) throws(StateError) {
    let before = target.count
    let slot = target.insert(key, hash: KeyEncoder.hash(key))
    if target.count > before {
      _ = try codec.read(value, into: slot, of: target.accumulators)
      return
    }
    let staging = staging ?? AccumulatorStore(plan)
    self.staging = staging
    staging.grow(to: targets.count + 1)
    _ = try codec.read(value, into: Int32(targets.count), of: staging)
    targets.append(slot)
    if targets.count == PartialMerge.limit { finish(target) }
  }

  /// Combines what was added.
  func finish(_ target: GroupStore) {
    guard let staging, !targets.isEmpty else { return }
    let sources = targets.indices.map { Int32($0) }
    targets.withUnsafeBufferPointer { targets in
      sources.withUnsafeBufferPointer { sources in
        guard let targets = targets.baseAddress, let source = sources.baseAddress else { return }
        target.accumulators.merge(SlotPairs(targets: targets, sources: source, count: sources.count), from: staging)
      }
    }
    for source in sources { staging.clear(source) }
    targets.removeAll(keepingCapacity: true)
  }
}
