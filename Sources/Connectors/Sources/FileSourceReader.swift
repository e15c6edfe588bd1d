import Formats
import StreamModel

/// Reads files one after another, in the order of their names: `connector: file`.
///
/// Normally each file is a partition named by its path. With `order: name` all of them are one partition, named by the
/// source's path: chunks then still carry a `SourcePartition` that names their file, so that a dead letter can, but all of
/// these have the one partition's index 0, and `endOfPartition` comes once, after the last file.
///
/// Positions are byte offsets in the decompressed file, one for each file that has been begun, in both modes; with
/// `order: name` one more, named by the source's path, says how many files are done and whether all are. After `seek` files
/// that were not there before are read too, in the order of their names, and so is what was appended to a file.
///
/// A file that vanishes after `open` is the source's failure, never silence.
///
/// Invariant for `Sendable`: one caller at a time, as `SourceReader` says; callers' turns are ordered by a lock of theirs.
package final class FileSourceReader: SourceReader, @unchecked Sendable {
  /// How far one file has been read.
  private struct Progress {
    var offset: Int64 = 0
    var isAtEnd = false
  }

  private let spec: FileSourceSpec
  private let source: String
  private let format: Format
  private let maxRecordBytes: Int

  /// One for each file, in order. With `order: name` all have the same index.
  private var files: [SourcePartition] = []
  private var progress: [Progress] = []
  package private(set) var partitions: [SourcePartition] = []
  private var isOnePartition = false
  /// The file being read or next to be read.
  private var index = 0
  private var current: FileChunks?

  /// - Parameter maxRecordBytes: The longest record that is read; a longer one is undecodable. At most the formats' own bound.
  package init(
    _ spec: FileSourceSpec, source: String, format: Format, maxRecordBytes: Int = Format.maxRecordBytes
  ) {
    self.spec = spec
    self.source = source
    self.format = format
    self.maxRecordBytes = maxRecordBytes
  }

  private var place: String { "sources.\(source).path" }

  package func open() throws(ConnectorError) {
    let paths = try FileLister(place: place).files(at: spec.path)
    isOnePartition = spec.isOnePartition && paths != [spec.path]
    files.reserveCapacity(paths.count)
    for path in paths {
      files.append(SourcePartition(source: source, name: path, index: isOnePartition ? 0 : files.count))
    }
    progress = Array(repeating: Progress(), count: files.count)
    partitions = isOnePartition ? [SourcePartition(source: source, name: spec.path, index: 0)] : files
  }

  package func next(targetBytes: Int) throws(ConnectorError) -> SourceRead {
    while index < files.count {
      if progress[index].isAtEnd {
        index += 1
        continue
      }
      let chunks = try opened()
      let piece = try chunks.next(targetBytes: targetBytes)
      progress[index].offset = chunks.offset
      switch piece {
      case .chunk(let chunk): return .chunk(chunk, prologue: chunks.prologue)
      case .undecodable(let chunk, let failure): return .undecodable(chunk, failure)
      case .end:
        if let ended = finishFile() { return .endOfPartition(ended) }
      }
    }
    return .endOfInput
  }

  private func opened() throws(ConnectorError) -> FileChunks {
    if let current { return current }
    let chunks = try FileChunks(
      partition: files[index], start: progress[index].offset, format: format, maxRecordBytes: maxRecordBytes,
      place: place)
    current = chunks
    return chunks
  }

  /// Closes the current file; returns the partition that ends with it, if one does.
  private func finishFile() -> SourcePartition? {
    progress[index].isAtEnd = true
    current = nil
    index += 1
    if !isOnePartition { return files[index - 1] }
    return index == files.count ? partitions.first : nil
  }

  package var positions: [PartitionPosition] {
    var positions: [PartitionPosition] = []
    if isOnePartition {
      let done = progress.count { $0.isAtEnd }
      positions.append(
        PartitionPosition(partition: spec.path, offset: Int64(done), isAtEnd: done == files.count))
    }
    for (file, progress) in zip(files, progress) where progress.offset > 0 || progress.isAtEnd {
      positions.append(
        PartitionPosition(partition: file.name, offset: progress.offset, isAtEnd: progress.isAtEnd))
    }
    return positions
  }

  package func seek(to positions: [PartitionPosition]) throws(ConnectorError) {
    let places = Dictionary(files.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    for position in positions where !(position.partition == spec.path && places[spec.path] == nil) {
      guard let file = places[position.partition] else {
        if position.isAtEnd { continue }
        throw ConnectorError(
          "\(place): \(position.partition): is not there, though only \(position.offset) bytes of it have been read — put it back, or start the job anew (--from none)"
        )
      }
      let isAtEnd = position.isAtEnd ? try !hasGrown(position) : false
      progress[file] = Progress(offset: position.offset, isAtEnd: isAtEnd)
    }
    index = 0
  }

  /// Whether something was appended to a file since it was read to its end.
  private func hasGrown(_ position: PartitionPosition) throws(ConnectorError) -> Bool {
    let bytes = try FileBytes(path: position.partition, place: place)
    guard let size = bytes.remainingBytes else { return false }
    return Int64(size) > position.offset
  }

  package func close() { current = nil }
}
