import State
import StreamModel

extension SessionAggregate {
  private static let table: UInt8 = 1
  /// Start, end and sequence, biased and big-endian, stand before the encoded key.
  private static let prefixBytes = 24

  /// One entry a session: its flags, the stamp of its last late row where lateness is allowed, and the accumulators.
  func wholeState() -> StateSnapshot {
    var snapshot = StateSnapshot(watermark: watermark)
    for index in sessions.live {
      let session = sessions[index]
      let key = keys.key(session.key)
      var writer = StateWriter()
      writer.write(UInt64(session.flags.rawValue))
      if lateness > 0 { writer.write(stamp(of: index)) }
      accumulators.encode(index, to: &writer)
      snapshot.add(
        keyGroup: KeyGroup.of(hash: KeyEncoder.hash(key)), table: SessionAggregate.table,
        key: SessionAggregate.stateKey(session, key), value: writer.bytes)
    }
    return snapshot
  }

  private static func stateKey(_ session: Session, _ key: UnsafeRawBufferPointer) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(prefixBytes + key.count)
    for number in [session.end, session.start, session.sequence] {
      withUnsafeBytes(of: (UInt64(bitPattern: number) ^ 1 << 63).bigEndian) { bytes.append(contentsOf: $0) }
    }
    return bytes + [UInt8](key)
  }

  func restoreWhole(_ snapshot: StateSnapshot) throws(OperatorError) {
    watermark = snapshot.watermark
    overflowGuard.forget()
    for entry in snapshot.entries {
      guard entry.table == SessionAggregate.table, entry.key.count >= SessionAggregate.prefixBytes else {
        throw .state("a session in table \(entry.table) with a key of \(entry.key.count) bytes")
      }
      do { try restore(entry) } catch { throw .state("a session: \(error)") }
    }
  }

  private func restore(_ entry: StateEntry) throws(StateError) {
    let numbers = entry.key.withUnsafeBytes { bytes in
      (0..<3).map { index in
        let biased = UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: index * 8, as: UInt64.self))
        return Int64(bitPattern: biased ^ 1 << 63)
      }
    }
    let key = entry.key.withUnsafeBytes { bytes in
      let key = UnsafeRawBufferPointer(rebasing: bytes[SessionAggregate.prefixBytes...])
      return keys.insert(key, hash: KeyEncoder.hash(key))
    }
    sessions.growKeys(to: keys.slotCount)
    let index = sessions.insert(key: key, start: numbers[1], end: numbers[0], sequence: numbers[2])
    sessions.nextSequence = max(sessions.nextSequence, numbers[2] + 1)
    accumulators.grow(to: sessions.count)
    var reader = StateReader(entry.value)
    try restore(index, from: &reader)
    guard reader.isAtEnd else { throw .malformed("a session goes on after its end") }
  }

  private func restore(_ index: Int32, from reader: inout StateReader) throws(StateError) {
    let flags = Session.Flags(rawValue: UInt8(truncatingIfNeeded: try reader.readUInt64()))
    sessions[index].flags = flags.union(.live)
    if lateness > 0 { noteStamp(index, try reader.readInt64()) }
    try accumulators.decode(index, from: &reader)
    if tracksEarly, flags.contains(.owesEarly) { owingEarly.append(sessions.reference(index)) }
    let end = sessions[index].end
    sessions.arm(index, at: end > watermark ? end : max(watermark, end + lateness))
  }

  var stateSizeBytes: Int { keys.sizeBytes + sessions.sizeBytes + accumulators.sizeBytes + stamps.capacity * 8 }
}
