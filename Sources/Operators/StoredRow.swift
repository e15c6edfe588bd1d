import StreamModel

/// A row in a join's memory, behind a header; valid until its bucket grows.
///
/// Header: where the next older row of its key lies and where its key does, its number, and then what is also its value in the
/// state, byte for byte — event time, the watermark it comes behind (the minimum where it does not), flags, length, content.
struct StoredRow {
  static let headerBytes = 40
  /// Where the part that is stored begins.
  private static let valueOffset = 16
  private static let valueHeaderBytes = headerBytes - valueOffset

  /// What is known of a row beside its values.
  struct Flags: OptionSet {
    let rawValue: UInt32
    /// It found a partner.
    static let matched = Flags(rawValue: 1)
    /// The state has it, or it is not needed there. Means nothing in the state.
    static let saved = Flags(rawValue: 2)
  }

  let base: UnsafeMutableRawPointer

  /// In words of eight bytes from the start of the arena, plus one; 0 for the last.
  @inline(__always) var next: UInt32 { base.load(as: UInt32.self) }
  /// Where the entry of its key lies in the bucket's table of keys, in words.
  var keyPlace: UInt32 { base.load(fromByteOffset: 4, as: UInt32.self) }
  /// Numbers rise, also over restarts.
  var number: UInt64 { base.load(fromByteOffset: 8, as: UInt64.self) }
  @inline(__always) var time: EventTime { base.load(fromByteOffset: 16, as: Int64.self) }
  @inline(__always) var stamp: EventTime { base.load(fromByteOffset: 24, as: Int64.self) }
  @inline(__always) var flags: Flags { Flags(rawValue: base.load(fromByteOffset: 32, as: UInt32.self)) }
  @inline(__always) var isMatched: Bool { flags.contains(.matched) }
  @inline(__always) var content: UnsafeMutableRawPointer { base + StoredRow.headerBytes }
  @inline(__always) var length: Int { Int(base.load(fromByteOffset: 36, as: UInt32.self)) }

  /// What the state keeps of it.
  var value: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: base + StoredRow.valueOffset, count: StoredRow.valueHeaderBytes + length)
  }

  @inline(__always) func set(_ flags: Flags) {
    base.storeBytes(of: flags.rawValue, toByteOffset: 32, as: UInt32.self)
  }

  /// Notes that it found a partner. Returns whether the state takes it for one that has not.
  @inline(__always) func match() -> Bool {
    let before = flags
    set(before.union(.matched))
    return before == .saved
  }

  func initialize(_ header: StoredRowHeader, number: UInt64, next: UInt32, keyPlace: UInt32) {
    base.storeBytes(of: next, as: UInt32.self)
    base.storeBytes(of: keyPlace, toByteOffset: 4, as: UInt32.self)
    base.storeBytes(of: number, toByteOffset: 8, as: UInt64.self)
    base.storeBytes(of: header.time, toByteOffset: 16, as: Int64.self)
    base.storeBytes(of: header.stamp, toByteOffset: 24, as: Int64.self)
    set(header.flags)
    base.storeBytes(of: UInt32(truncatingIfNeeded: header.length), toByteOffset: 36, as: UInt32.self)
  }
}

/// What a stored row says of itself.
struct StoredRowHeader {
  let time: EventTime
  let stamp: EventTime
  let flags: StoredRow.Flags
  /// Bytes of its content.
  let length: Int

  init(time: EventTime, stamp: EventTime, flags: StoredRow.Flags, length: Int) {
    self.time = time
    self.stamp = stamp
    self.flags = flags
    self.length = length
  }

  /// Bytes of a value in the state before the row's content.
  static let valueBytes = 24

  /// Of a value in the state; nil where it is none.
  init?(value: UnsafeRawBufferPointer) {
    guard value.count >= StoredRowHeader.valueBytes else { return nil }
    time = value.loadUnaligned(as: Int64.self)
    stamp = value.loadUnaligned(fromByteOffset: 8, as: Int64.self)
    flags = StoredRow.Flags(rawValue: value.loadUnaligned(fromByteOffset: 16, as: UInt32.self))
      .intersection(.matched).union(.saved)
    length = Int(value.loadUnaligned(fromByteOffset: 20, as: UInt32.self))
    guard length == value.count - StoredRowHeader.valueBytes else { return nil }
  }
}

/// A `JoinBucket` borrowed for lookups: nothing but pointers, so that a loop over it counts no references.
struct StoredRowLookup {
  private let heads: KeyLookup
  private let arena: UnsafeMutableRawPointer

  init(heads: KeyLookup, arena: UnsafeMutableRawPointer) {
    self.heads = heads
    self.arena = arena
  }

  /// The newest row of `key`.
  @inline(__always) func first(_ key: UnsafeRawBufferPointer, hash: UInt64) -> StoredRow? {
    guard let head = heads.find(key, hash: hash) else { return nil }
    return row(atWord: JoinBucket.Head(rawValue: head.pointee).word)
  }

  /// The row of the same key that came before `row`.
  @inline(__always) func next(_ row: StoredRow) -> StoredRow? { self.row(atWord: row.next) }

  @inline(__always) private func row(atWord word: UInt32) -> StoredRow? {
    word == 0 ? nil : StoredRow(base: arena + (Int(word) &- 1) &* 8)
  }
}
