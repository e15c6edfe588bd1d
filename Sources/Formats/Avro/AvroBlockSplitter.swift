/// Finds where the blocks of an Avro object file end: a file is cut behind sync markers.
///
/// Behind a damaged block it goes on at the next sync marker, so that damage costs what lies between two markers. A block
/// beyond `maxRecordBytes` is given away in pieces (`isFragment`).
package struct AvroBlockSplitter: RecordSplitter {
  /// Empty while the header is looked for.
  private let sync: [UInt8]
  private let maxRecordBytes: Int
  /// The end of the last whole block, and from where a marker is looked for where a block is damaged.
  private var end = 0
  private var isInsideRecord = false
  private var rescans = false
  /// The last bytes of a fragment, in which a marker may begin.
  private var tail: [UInt8] = []
  package private(set) var isFragment = false

  package init(prologue: [UInt8], maxRecordBytes: Int = Format.maxRecordBytes) {
    sync = prologue.suffix(AvroContainerHeader.syncBytes)
    self.maxRecordBytes = maxRecordBytes
  }

  package mutating func lastRecordEnd(in bytes: UnsafeBufferPointer<UInt8>, scanned: Int, isAtEnd: Bool) -> Int {
    if isInsideRecord { return fragmentEnd(in: bytes, scanned: rescans ? 0 : scanned, isAtEnd: isAtEnd) }
    isFragment = false
    if scanned == 0 || rescans { end = 0 }
    rescans = false
    scan: while end < bytes.count {
      switch AvroBlock.find(bytes, at: end, sync: sync) {
      case .block(let block): end = block.end
      case .incomplete: break scan
      case .damaged:
        guard let next = AvroBlock.endOfSync(bytes, from: end, sync: sync) else { break scan }
        end = next
      }
    }
    if isAtEnd { return bytes.count }
    guard end == 0, bytes.count > maxRecordBytes else { return end }
    isInsideRecord = true
    return giveAway(bytes)
  }

  /// The end of the block that was begun, or of another piece of it.
  private mutating func fragmentEnd(in bytes: UnsafeBufferPointer<UInt8>, scanned: Int, isAtEnd: Bool) -> Int {
    isFragment = true
    if let next = straddlingEnd(bytes) ?? AvroBlock.endOfSync(bytes, from: 0, sync: sync) {
      isInsideRecord = false
      rescans = true
      tail = []
      return next
    }
    return isAtEnd || bytes.count > maxRecordBytes ? giveAway(bytes) : 0
  }

  private mutating func giveAway(_ bytes: UnsafeBufferPointer<UInt8>) -> Int {
    isFragment = true
    tail = Array((tail + bytes.suffix(sync.count - 1)).suffix(sync.count - 1))
    return bytes.count
  }

  /// Where a marker ends that begins in the piece before.
  private func straddlingEnd(_ bytes: UnsafeBufferPointer<UInt8>) -> Int? {
    let joint = tail + bytes.prefix(sync.count - 1)
    return joint.withUnsafeBufferPointer { AvroBlock.endOfSync($0, from: 0, sync: sync) }.map { $0 - tail.count }
  }

  package var hasPrologue: Bool { true }

  package func prologueLength(in bytes: UnsafeBufferPointer<UInt8>, isAtEnd: Bool) -> Int? {
    if bytes.isEmpty, isAtEnd { return 0 }
    return AvroContainerHeader.length(of: bytes)
  }

  package func prologueFault(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    if bytes.prefix(4).elementsEqual(AvroContainerHeader.magic.prefix(bytes.count)) {
      return
        "its Avro header does not end within \(bytes.count) bytes — fetch the file again: it is cut short or damaged"
    }
    return "is no Avro object file: it does not begin with `Obj` and 1 — check the path and the `format:`"
  }
}
