import Formats
import Glibc
import StreamModel

/// Cuts one file into chunks that end where records end.
///
/// Steps: fill a fresh memory area with what the last chunk left over and with what the file gives next; ask the splitter
/// where the last whole record ends; hand out everything before that; keep the rest for next time. Where no record is whole
/// the area grows, up to the longest record allowed.
///
/// A record longer than that is handed out once, as a failure with its first `maxRecordBytes` bytes; the rest of it is read
/// over, and the reason says how long it was. So no record takes more memory than twice the bound.
///
/// Where a compressed file is damaged it ends, with one failure: the bytes of the record that is cut there, if any. Its place
/// counts as one byte more, so that a job that goes on behind it does not report it again.
final class FileChunks {
  /// What a file gives next.
  enum Piece {
    case chunk(RecordChunk)
    case undecodable(RecordChunk, DecodeFailure)
    case end
  }

  private let bytes: FileBytes
  private let partition: SourcePartition
  private let format: Format
  private let maxRecordBytes: Int
  private let place: String

  /// The file's header (CSV's or Avro's), empty when it has none.
  private(set) var prologue: [UInt8] = []
  /// Everything before it has been handed out.
  private(set) var offset: Int64 = 0
  private var rest: UnsafeRawBufferPointer
  private var restOwner: Memory?
  private var isAtEnd = false
  private var hasReportedDamage = false

  /// Whether the last record ends with the file.
  private var isWholeAtEnd: Bool { isAtEnd && bytes.damage == nil }

  /// Opens a file and goes to `start`, the end of a chunk handed out earlier (0 for the beginning).
  init(
    partition: SourcePartition, start: Int64, format: Format, maxRecordBytes: Int, place: String
  ) throws(ConnectorError) {
    bytes = try FileBytes(path: partition.name, place: place)
    self.partition = partition
    self.format = format
    self.maxRecordBytes = maxRecordBytes
    self.place = place
    rest = UnsafeRawBufferPointer(start: nil, count: 0)
    let splitter = format.makeSplitter()
    if splitter.hasPrologue { try readPrologue(splitter) }
    if start > offset { try skip(to: start) }
  }

  /// Goes on to byte `start`; reading the header may have read past it.
  private func skip(to start: Int64) throws(ConnectorError) {
    if start <= bytes.offset {
      rest = UnsafeRawBufferPointer(rebasing: rest[Int(start - offset)...])
    } else {
      drop()
      try bytes.skip(to: start)
      hasReportedDamage = bytes.offset < start
      isAtEnd = hasReportedDamage
    }
    offset = start
  }

  private func readPrologue(_ splitter: any RecordSplitter) throws(ConnectorError) {
    var area = Memory(capacityBytes: capacity(for: 1 << 14))
    var filled = 0
    while true {
      filled += try fill(area, from: filled)
      let seen = UnsafeBufferPointer(start: area.base.assumingMemoryBound(to: UInt8.self), count: filled)
      if let length = splitter.prologueLength(in: seen, isAtEnd: isWholeAtEnd) {
        prologue = [UInt8](seen[..<length])
        offset = Int64(length)
        return keep(area, from: length, count: filled - length)
      }
      if bytes.damage != nil { return keep(area, from: 0, count: filled) }
      if isAtEnd || filled >= maxRecordBytes {
        throw ConnectorError("\(place): \(partition.name): \(splitter.prologueFault(seen))")
      }
      area = enlarged(area, filled)
    }
  }

  /// The next piece of about `targetBytes` bytes.
  func next(targetBytes: Int) throws(ConnectorError) -> Piece {
    var area = Memory(capacityBytes: capacity(for: targetBytes))
    var filled = takeRest(into: area)
    var splitter = format.makeSplitter(prologue: prologue)
    var scanned = 0
    while true {
      filled += try fill(area, from: filled)
      if filled == 0, bytes.damage == nil || hasReportedDamage { return .end }
      let seen = UnsafeBufferPointer(start: area.base.assumingMemoryBound(to: UInt8.self), count: filled)
      let end = splitter.lastRecordEnd(in: seen, scanned: scanned, isAtEnd: isWholeAtEnd)
      if end > 0 || isWholeAtEnd { return .chunk(cut(area, at: isWholeAtEnd ? filled : end, filled: filled)) }
      if isAtEnd, let damage = bytes.damage { return broken(area, filled, damage) }
      if filled >= maxRecordBytes { return try oversized(area, filled) }
      scanned = filled
      area = enlarged(area, filled)
    }
  }

  // MARK: - Memory

  private static let leastBytes = 256

  /// Room for about `targetBytes` and the padding, no more than the file can fill, and for the rest kept. Never more than the
  /// longest record, so that whether a record is too long does not depend on the size of chunks.
  private func capacity(for targetBytes: Int) -> Int {
    var wanted = min(max(targetBytes, FileChunks.leastBytes), maxRecordBytes)
    if let remaining = bytes.remainingBytes { wanted = min(wanted, rest.count + remaining) }
    return max(wanted, rest.count + 1) + RecordChunk.paddingBytes
  }

  /// Twice the room, at most for the longest record.
  private func enlarged(_ area: Memory, _ filled: Int) -> Memory {
    let room = area.capacityBytes - RecordChunk.paddingBytes
    let larger = Memory(capacityBytes: max(room + 1, min(room * 2, maxRecordBytes)) + RecordChunk.paddingBytes)
    larger.base.copyMemory(from: area.base, byteCount: filled)
    return larger
  }

  private func fill(_ area: Memory, from filled: Int) throws(ConnectorError) -> Int {
    let room = area.capacityBytes - RecordChunk.paddingBytes - filled
    guard !isAtEnd, room > 0 else { return 0 }
    let given = try bytes.read(into: area.base + filled, count: room)
    isAtEnd = given < room || bytes.remainingBytes == 0
    return given
  }

  private func keep(_ area: Memory, from start: Int, count: Int) {
    restOwner = area
    rest = UnsafeRawBufferPointer(start: area.base + start, count: count)
  }

  private func drop() {
    restOwner = nil
    rest = UnsafeRawBufferPointer(start: nil, count: 0)
  }

  private func takeRest(into area: Memory) -> Int {
    let count = rest.count
    if let start = rest.baseAddress { area.base.copyMemory(from: start, byteCount: count) }
    drop()
    return count
  }

  private func cut(_ area: Memory, at end: Int, filled: Int) -> RecordChunk {
    if filled > end { keep(area, from: end, count: filled - end) } else { pad(area, filled) }
    let chunk = RecordChunk(partition: partition, offset: offset, storage: area, count: end)
    offset += Int64(end)
    return chunk
  }

  private func pad(_ area: Memory, _ filled: Int) {
    (area.base + filled).initializeMemory(as: UInt8.self, repeating: 0x20, count: RecordChunk.paddingBytes)
  }

  // MARK: - Records that cannot be read

  private func broken(_ area: Memory, _ filled: Int, _ damage: String) -> Piece {
    pad(area, filled)
    let chunk = RecordChunk(partition: partition, offset: offset, storage: area, count: filled, isFragment: true)
    offset += Int64(filled) + 1
    hasReportedDamage = true
    return .undecodable(chunk, DecodeFailure(start: 0, length: filled, reason: damage))
  }

  private func oversized(_ area: Memory, _ filled: Int) throws(ConnectorError) -> Piece {
    pad(area, filled)
    let chunk = RecordChunk(partition: partition, offset: offset, storage: area, count: filled, isFragment: true)
    let length = try Int64(filled) + skipTail(after: chunk.bytes)
    let reason =
      "the record is \(length) bytes long, from byte \(offset) to byte \(offset + length); at most \(maxRecordBytes) bytes are read, and only those are here"
    offset += length
    return .undecodable(chunk, DecodeFailure(start: 0, length: filled, reason: reason))
  }

  /// Reads over the rest of a record; returns its length.
  private func skipTail(after piece: UnsafeBufferPointer<UInt8>) throws(ConnectorError) -> Int64 {
    var tail = RecordTail(format, prologue: prologue, after: piece)
    var length: Int64 = 0
    while !isAtEnd && !tail.hasEnded {
      let window = Memory(capacityBytes: RecordTail.windowBytes + RecordChunk.paddingBytes)
      let given = try fill(window, from: 0)
      let seen = UnsafeBufferPointer(start: window.base.assumingMemoryBound(to: UInt8.self), count: given)
      let taken = tail.take(seen, isAtEnd: isAtEnd)
      keep(window, from: taken, count: given - taken)
      length += Int64(taken)
    }
    return length
  }
}
