/// Where the rows of a batch were read from: one chunk or several, and each row's bytes in its chunk.
///
/// Rows that come straight from a source are all of one chunk; a step that interleaves rows of several partitions makes
/// a mixture. What reads single rows uses `chunk(at:)`, `bytes(at:)` and `position(at:)`, which hold for both.
package struct RecordOrigin: Sendable {
  /// The chunk of all rows, or of the first where `isMixed`.
  package let chunk: RecordChunk
  /// Per row a view (start, length) into its chunk's bytes: an int64 column.
  package let ranges: Column
  private let mixture: Mixture?

  /// Several chunks, and per row which of them it is of (an int64 column).
  private struct Mixture: Sendable {
    let chunks: [RecordChunk]
    let positions: Column
  }

  package init(chunk: RecordChunk, ranges: Column) {
    self.chunk = chunk
    self.ranges = ranges
    mixture = nil
  }

  /// Rows of several chunks, which are not none: row `r` is of `chunks[positions[r]]`.
  package init(chunks: [RecordChunk], positions: Column, ranges: Column) {
    chunk = chunks[positions.count == 0 ? 0 : Int(positions.int64s[0])]
    self.ranges = ranges
    mixture = chunks.count == 1 ? nil : Mixture(chunks: chunks, positions: positions)
  }

  /// Whether rows are of several chunks.
  package var isMixed: Bool { mixture != nil }

  /// The chunk that row `row` is of.
  package func chunk(at row: Int) -> RecordChunk {
    guard let mixture else { return chunk }
    return mixture.chunks[Int(mixture.positions.int64s[row])]
  }

  package func gather(_ indices: UnsafeBufferPointer<Int32>) -> RecordOrigin {
    guard let mixture else { return RecordOrigin(chunk: chunk, ranges: ranges.gather(indices)) }
    return RecordOrigin(
      chunks: mixture.chunks, positions: mixture.positions.gather(indices), ranges: ranges.gather(indices))
  }

  /// Start of row `row` in its chunk: rows of one chunk are in the order of their starts.
  @inline(__always) package func start(_ row: Int) -> Int { Int(UInt64(bitPattern: ranges.int64s[row]) >> 32) }

  /// The original bytes of row `row`; valid while the chunk lives.
  package func bytes(at row: Int) -> UnsafeBufferPointer<UInt8> {
    let view = UInt64(bitPattern: ranges.int64s[row])
    return UnsafeBufferPointer(
      rebasing: chunk(at: row).bytes[Int(view >> 32)..<Int(view >> 32) + Int(view & 0xFFFF_FFFF)])
  }

  /// The position of row `row` in its partition.
  package func position(at row: Int) -> Int64 { chunk(at: row).position(ofRecordAt: start(row)) }

  /// Roughly the bytes it keeps in memory: the chunk, or of a mixture, whose chunks other batches share, the rows' own.
  package var sizeBytes: Int {
    isMixed ? recordBytes : chunk.sizeBytes
  }

  /// Bytes of the rows' own records.
  private var recordBytes: Int {
    var size = 0
    for row in 0..<ranges.count { size += Int(ranges.int64s[row] & 0xFFFF_FFFF) }
    return size
  }

  /// Whether the rows are so few of those they were read with that whoever keeps them for long should copy them (`compacted`):
  /// as it is they keep four times their bytes in memory, or more.
  package var isSparse: Bool {
    let kept = mixture?.chunks.reduce(0) { $0 + $1.count } ?? chunk.count
    return recordBytes * RecordOrigin.sparseFactor < kept
  }

  private static let sparseFactor = 4
}
