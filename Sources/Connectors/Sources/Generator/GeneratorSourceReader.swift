import Formats
import StreamModel

/// Makes usage records up: `connector: generator`. One partition, named `generator`.
///
/// The bytes depend on the settings alone, whatever the size of chunks. A position is `block × 2²¹ + byte in the block`: it
/// rises from record to record, and going back to one costs the making of one block.
///
/// Invariant for `Sendable`: one caller at a time, as `SourceReader` says; callers' turns are ordered by a lock of theirs.
package final class GeneratorSourceReader: SourceReader, @unchecked Sendable {
  private let source: String
  private let format: Format
  private let spec: GeneratorSpec
  private var generator: UsageGenerator?
  private let partition: SourcePartition
  private var block: Int64 = 0
  /// How many bytes and records of the block have been handed out.
  private var byte = 0
  private var record = 0
  private var isGenerated = false
  private var isAtEnd = false

  package init(_ spec: GeneratorSpec, source: String, format: Format) {
    self.spec = spec
    self.source = source
    self.format = format
    partition = SourcePartition(source: source, name: "generator", index: 0)
  }

  package func open() throws(ConnectorError) {
    guard generator == nil else { return }
    if let path = spec.truthPath { try writeTruth(of: spec, to: path, place: "sources.\(source).truth") }
    generator = UsageGenerator(spec, format: format)
  }

  package var partitions: [SourcePartition] { [partition] }

  private func opened() throws(ConnectorError) -> UsageGenerator {
    try open()
    guard let generator else { throw ConnectorError("sources.\(source): is not open") }
    return generator
  }

  package func next(targetBytes: Int) throws(ConnectorError) -> SourceRead {
    if isAtEnd { return .endOfInput }
    let generator = try opened()
    prepareBlock(generator)
    guard record < generator.ends.count else {
      isAtEnd = true
      return .endOfPartition(partition)
    }
    let last = lastRecord(generator.ends, targetBytes)
    let end = generator.ends[last]
    let chunk = RecordChunk(
      partition: partition, offset: position,
      copying: UnsafeRawBufferPointer(rebasing: UnsafeRawBufferPointer(generator.bytes)[byte..<end]))
    byte = end
    record = last + 1
    return .chunk(chunk, prologue: generator.header)
  }

  /// Makes the block to read from, unless it is there and has more.
  private func prepareBlock(_ generator: UsageGenerator) {
    if isGenerated && record == UsageGenerator.recordsPerBlock {
      block += 1
      (byte, record) = (0, 0)
      isGenerated = false
    }
    if !isGenerated { generator.generate(block: block) }
    isGenerated = true
  }

  /// The last record of a chunk of about `targetBytes`: at least one, and no small rest is left of a block.
  private func lastRecord(_ ends: [Int], _ targetBytes: Int) -> Int {
    let rest = (ends.last ?? 0) - byte
    if rest <= targetBytes + targetBytes / 4 { return ends.count - 1 }
    var low = record
    var high = ends.count
    while low < high {
      let middle = (low + high) / 2
      if ends[middle] - byte <= targetBytes { low = middle + 1 } else { high = middle }
    }
    return max(record, low - 1)
  }

  private var position: Int64 { block * Int64(UsageGenerator.blockSpanBytes) + Int64(byte) }

  package var positions: [PartitionPosition] {
    [PartitionPosition(partition: partition.name, offset: position, isAtEnd: isAtEnd)]
  }

  package func seek(to positions: [PartitionPosition]) throws(ConnectorError) {
    guard let position = positions.first(where: { $0.partition == partition.name }) else { return }
    let generator = try opened()
    block = position.offset / Int64(UsageGenerator.blockSpanBytes)
    byte = Int(position.offset % Int64(UsageGenerator.blockSpanBytes))
    isGenerated = false
    record = 0
    prepareBlock(generator)
    if byte > 0 { record = (generator.ends.firstIndex(of: byte) ?? -1) + 1 }
    guard byte == 0 || record > 0 else {
      throw ConnectorError(
        "sources.\(source): position \(position.offset) is not between two of its records — the generator's settings have changed since the checkpoint; restore them, or start the job anew (--from none)"
      )
    }
    isAtEnd = position.isAtEnd && hasNoMore(generator)
  }

  private func hasNoMore(_ generator: UsageGenerator) -> Bool {
    guard record == generator.ends.count else { return false }
    return generator.recordCount(ofBlock: block + (record == UsageGenerator.recordsPerBlock ? 1 : 0)) == 0
      || record < UsageGenerator.recordsPerBlock
  }

  package func close() { generator = nil }
}
