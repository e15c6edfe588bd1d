#if canImport(Glibc)
  import Glibc
#endif
import State
import StreamModel

/// A billing cycle: `[start, end)`.
struct BillingCycle: Hashable, Comparable {
  let start: EventTime
  let end: EventTime

  static func < (left: BillingCycle, right: BillingCycle) -> Bool { (left.end, left.start) < (right.end, right.start) }
}

/// What an account has used of one service in one cycle, at the quantity's scale.
struct CycleUsage: BitwiseCopyable, Equatable {
  /// Free units of the cycle, used in it.
  var freeUsed: Int64 = 0
  /// Units of the cycle before, used in this one.
  var rolledIn: Int64 = 0
  var billable: Int64 = 0
  /// Free units that the cycle has, by the tariff that was applied last; below zero where none was, and nothing is known.
  var allowance: Int64 = -1

  static let none = CycleUsage()
  static let bytes = 32

  var isPresent: Bool { allowance >= 0 }
}

/// The usage of one billing cycle, by account and service: those in memory, and what the state holds beyond them. One owner.
final class CyclePane {
  let cycle: BillingCycle
  /// What the cycle's state keys begin with.
  let prefix: [UInt8]
  private var table = GroupTable()
  /// By slot. A slot that is not present is known not to be in the state either.
  private var usages: UnsafeMutablePointer<CycleUsage>
  private var capacity = 0
  private var dirty = DirtySlots()
  /// Keys to read before the next rows are rated.
  private var wanted = GroupTable()
  /// Whether the state has usage that is not in memory, or any at all.
  private(set) var hasSpilled = false
  private(set) var isPersisted = false

  static let stateTable: UInt8 = 0
  private static let prefixBytes = 17

  init(_ cycle: BillingCycle) {
    self.cycle = cycle
    prefix = CyclePane.prefix(cycle)
    usages = GrowingMemory.resized(nil, to: 0).assumingMemoryBound(to: CycleUsage.self)
  }

  deinit { free(usages) }

  static func prefix(_ cycle: BillingCycle) -> [UInt8] {
    [stateTable] + StateKey.bytes(cycle.end) + StateKey.bytes(cycle.start)
  }

  /// The cycle that a state key begins with; nil where it is too short.
  static func cycle(_ key: UnsafeRawBufferPointer) -> BillingCycle? {
    guard key.count >= prefixBytes + StateKey.hashLength else { return nil }
    return BillingCycle(start: StateKey.number(key, at: 9), end: StateKey.number(key, at: 1))
  }

  var sizeBytes: Int { table.sizeBytes + capacity * CycleUsage.bytes + dirty.sizeBytes }

  /// The slot of `key`, made where there is none.
  @inline(__always) func slot(_ key: UnsafeRawBufferPointer, hash: UInt64) -> Int32 {
    let slot = table.insert(key, hash: hash)
    if Int(slot) >= capacity { grow() }
    return slot
  }

  private func grow() {
    let larger = max(16, table.slotCount * 2)
    usages = GrowingMemory.resized(usages, to: larger * CycleUsage.bytes).assumingMemoryBound(to: CycleUsage.self)
    (usages + capacity).initialize(repeating: .none, count: larger - capacity)
    capacity = larger
  }

  @inline(__always) subscript(slot: Int32) -> CycleUsage { usages[Int(slot)] }

  /// Changes the usage in `slot`.
  @inline(__always) func set(_ slot: Int32, to usage: CycleUsage) {
    usages[Int(slot)] = usage
    dirty.mark(slot)
  }

  /// The usage of `key`; `none` where there is none.
  @inline(__always) func usage(_ key: UnsafeRawBufferPointer, hash: UInt64) -> CycleUsage {
    let slot = table.slot(of: key, hash: hash)
    return slot < 0 ? .none : usages[Int(slot)]
  }

  /// The state has usage of this cycle.
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
      if let value { usages[Int(slot)] = try CyclePane.decode(value) }
    }
    wanted = GroupTable()
  }

  private static func decode(_ value: [UInt8]) throws(StateError) -> CycleUsage {
    guard value.count == CycleUsage.bytes else { throw .malformed("usage of a cycle in \(value.count) bytes") }
    var reader = StateReader(value)
    let usage = CycleUsage(
      freeUsed: try reader.readInt64(), rolledIn: try reader.readInt64(), billable: try reader.readInt64(),
      allowance: try reader.readInt64())
    guard usage.isPresent, usage.freeUsed >= 0, usage.rolledIn >= 0, usage.billable >= 0 else {
      throw .malformed("usage of a cycle that is below zero")
    }
    return usage
  }

  /// Whether there is usage that the state has not.
  var hasChanges: Bool { !dirty.isEmpty }

  /// Puts the usage that the state has not into `run`.
  func write(to run: any StateRunWriter) throws(StateError) {
    let buffer = StateKeyBuffer()
    buffer.setPrefix(prefix)
    let noSuffix = UnsafeRawBufferPointer(start: nil, count: 0)
    for number in HashOrder.sorted(table, dirty.slots) {
      let slot = HashOrder.slot(number)
      let usage = usages[Int(slot)]
      let words = (
        usage.freeUsed.littleEndian, usage.rolledIn.littleEndian, usage.billable.littleEndian,
        usage.allowance.littleEndian
      )
      let key = buffer.make(HashOrder.order(number), table.key(slot), suffix: noSuffix)
      var failure: StateError?
      withUnsafeBytes(of: words) { value in
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
    usages = GrowingMemory.resized(usages, to: 0).assumingMemoryBound(to: CycleUsage.self)
    capacity = 0
    if isPersisted { hasSpilled = true }
  }
}
