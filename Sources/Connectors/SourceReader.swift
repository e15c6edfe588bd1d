import Formats
import StreamModel

/// What is wrong outside: the message names the place, the value and the mend.
package struct ConnectorError: Error, Equatable, Sendable, CustomStringConvertible {
  package let description: String
  /// Whether trying again later may help (a broker that is down), as opposed to a mistake (no such file).
  package let isRetriable: Bool

  package init(_ description: String, isRetriable: Bool = false) {
    self.description = description
    self.isRetriable = isRetriable
  }
}

/// What a source gave next.
package enum SourceRead: Sendable {
  /// Whole records of one partition, in the partition's order. `prologue` is the partition's CSV header, empty otherwise.
  case chunk(RecordChunk, prologue: [UInt8])
  /// One record that the reader itself knows to be bad (longer than can be held): what there is of its bytes, and why. It is
  /// a dead letter of the source, as one that does not decode; it must not be decoded.
  case undecodable(RecordChunk, DecodeFailure)
  /// A partition has no more records, ever; it no longer holds the watermark back.
  case endOfPartition(SourcePartition)
  /// Nothing now; ask again after this many milliseconds at the latest (a rate limit, an empty topic).
  case wait(milliseconds: Int)
  /// No partition has any more records, ever.
  case endOfInput
}

/// How far a partition has been read: everything before `offset` has been handed out. A reader may keep positions of parts
/// of a partition beside (each file of a directory that is read as one), under names that are no partition's.
package struct PartitionPosition: Hashable, Sendable {
  package let partition: String
  package let offset: Int64
  package let isAtEnd: Bool

  package init(partition: String, offset: Int64, isAtEnd: Bool) {
    self.partition = partition
    self.offset = offset
    self.isAtEnd = isAtEnd
  }
}

/// Reads one source's partitions as a single, repeatable sequence of chunks.
///
/// One caller at a time (the runtime takes turns under a lock): calls are sequential but come from different threads.
/// Decoding happens elsewhere, so that one large file keeps all cores busy.
package protocol SourceReader: AnyObject, Sendable {
  /// Finds the input and checks that it can be read, without reading records. Throws when it is not there.
  func open() throws(ConnectorError)
  /// The partitions known so far, in order. A partition that has given no chunk yet holds the watermark back.
  var partitions: [SourcePartition] { get }
  /// The next piece of input. Chunks have about `targetBytes` bytes, more only where one record is larger.
  func next(targetBytes: Int) throws(ConnectorError) -> SourceRead
  /// Where every partition stands, for a checkpoint; one that is absent has not been begun.
  var positions: [PartitionPosition] { get }
  /// Continues after `positions`; after `open` and before the first `next`. Then `positions` says anew which partitions are
  /// at their end: these give nothing more, not even `endOfPartition`. One that was may have gained input since.
  func seek(to positions: [PartitionPosition]) throws(ConnectorError)
  /// By partition index: whether all that is there has been handed out, so that the partition may idle. Nil where the reader
  /// knows no more of it than `wait` says of all.
  func partitionsAtEnd() -> [Bool]?
  /// A checkpoint with these positions is committed, and nothing else tells the source's system so.
  func noteCommitted(_ positions: [PartitionPosition])
  /// By partition name: how many records are there and not yet handed out, where the source knows. Asked by anyone at any time,
  /// also while `next` is at work.
  var lag: [(partition: String, records: Int64)] { get }
  /// When what `next` gave last had come from the source's system, in monotonic ns; nil for just then.
  var arrivedAt: Int64? { get }
  func close()
}

extension SourceReader {
  package func partitionsAtEnd() -> [Bool]? { nil }
  package func noteCommitted(_ positions: [PartitionPosition]) {}
  package var lag: [(partition: String, records: Int64)] { [] }
  package var arrivedAt: Int64? { nil }
}
