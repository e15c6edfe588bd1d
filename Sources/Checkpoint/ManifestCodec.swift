import State
import StreamModel

/// A manifest as bytes: a magic word, the format's version, the content, and a hash of all that.
///
/// The hash finds damage (a flipped bit, a torn write), not tampering.
enum ManifestCodec {
  private static let magic = Array("WEIRCKPT".utf8)
  /// Since 5 the state of windows may have several groups in an entry, which earlier versions would take for one.
  private static let version: UInt8 = 5
  /// The oldest version that is read: it had no list of dropped state.
  private static let oldestVersion: UInt8 = 3
  private static let hashBytes = 8

  static func encode(_ manifest: CheckpointManifest) -> [UInt8] {
    var writer = StateWriter()
    writer.write(manifest.id)
    writer.write(manifest.topology)
    writer.write(manifest.createdAt)
    writer.write(manifest.isComplete)
    writer.write(count: manifest.sources.count)
    for source in manifest.sources { encode(source, &writer) }
    writer.write(count: manifest.operators.count)
    for state in manifest.operators { encode(state, &writer) }
    writer.write(count: manifest.parts.count)
    for part in manifest.parts { encode(part, &writer) }
    writer.write(count: manifest.files.count)
    for file in manifest.files {
      writer.write(file.name)
      writer.write(Int64(file.sizeBytes))
      writer.write(Int64(bitPattern: file.checksum))
    }
    manifest.counters.encode(to: &writer)
    writer.write(manifest.durationMilliseconds)
    writer.write(Int64(manifest.newBytes))
    writer.write(manifest.identity)
    writer.write(count: manifest.droppedStates.count)
    for state in manifest.droppedStates { encode(state, &writer) }
    let content = magic + [version] + writer.bytes
    return content + hash(content[...])
  }

  private static func hash(_ content: ArraySlice<UInt8>) -> [UInt8] {
    let hash = content.withUnsafeBytes { KeyEncoder.hash($0) }
    return withUnsafeBytes(of: hash.littleEndian) { Array($0) }
  }

  private static func encode(_ source: CheckpointManifest.Source, _ writer: inout StateWriter) {
    writer.write(source.name)
    writer.write(count: source.positions.count)
    for position in source.positions {
      writer.write(position.partition)
      writer.write(position.offset)
      writer.write(position.isAtEnd)
    }
    writer.write(source.watermarks)
  }

  private static func encode(_ state: CheckpointManifest.Operator, _ writer: inout StateWriter) {
    writer.write(state.step)
    writer.write(state.role)
    writer.write(state.signature)
    writer.write(state.watermark)
    writer.write(Int64(state.sizeBytes))
    writer.write(Int64(state.entryCount))
  }

  private static func encode(_ state: CheckpointManifest.DroppedState, _ writer: inout StateWriter) {
    writer.write(state.step)
    writer.write(state.checkpoint)
    writer.write(Int64(state.sizeBytes))
    writer.write(Int64(state.entryCount))
  }

  private static func encode(_ part: CheckpointManifest.Part, _ writer: inout StateWriter) {
    writer.write(part.sink)
    writer.write(part.pendingPath)
    writer.write(part.finalPath)
    writer.write(count: part.rows)
  }

  /// Reads what `encode` wrote; throws when a byte of it is not as it was.
  static func decode(_ bytes: [UInt8]) throws(StateError) -> CheckpointManifest {
    guard bytes.count > magic.count + 1 + hashBytes, bytes.starts(with: magic) else {
      throw .malformed("it does not begin as a checkpoint does")
    }
    let content = bytes.dropLast(hashBytes)
    guard hash(content) == Array(bytes.suffix(hashBytes)) else { throw .malformed("its checksum is wrong") }
    let format = bytes[magic.count]
    guard (oldestVersion...version).contains(format) else {
      throw .malformed("it has format \(format), not \(oldestVersion) to \(version)")
    }
    var reader = StateReader(Array(content.dropFirst(magic.count + 1)))
    let id = try reader.readInt64()
    let topology = try reader.readString()
    let createdAt = try reader.readInt64()
    let isComplete = try reader.readBool()
    let sources = try readList(&reader, decodeSource)
    let operators = try readList(&reader, decodeOperator)
    let parts = try readList(&reader, decodePart)
    let files = try readList(&reader, decodeFile)
    let counters = try CheckpointManifest.Counters(from: &reader)
    var manifest = CheckpointManifest(
      id: id, topology: topology, createdAt: createdAt, isComplete: isComplete, sources: sources,
      operators: operators, parts: parts, files: files, counters: counters)
    manifest.durationMilliseconds = try reader.readInt64()
    manifest.newBytes = Int(try reader.readInt64())
    manifest.identity = try reader.readInt64()
    if format > oldestVersion { manifest.droppedStates = try readList(&reader, decodeDropped) }
    return manifest
  }

  private static func readList<Element>(
    _ reader: inout StateReader, _ read: (inout StateReader) throws(StateError) -> Element
  ) throws(StateError) -> [Element] {
    let count = try reader.readCount()
    var list: [Element] = []
    for _ in 0..<count { list.append(try read(&reader)) }
    return list
  }

  private static func decodeSource(_ reader: inout StateReader) throws(StateError) -> CheckpointManifest.Source {
    let name = try reader.readString()
    let positions = try readList(&reader) { (reader: inout StateReader) throws(StateError) in
      CheckpointManifest.Source.Position(
        partition: try reader.readString(), offset: try reader.readInt64(), isAtEnd: try reader.readBool())
    }
    return CheckpointManifest.Source(name: name, positions: positions, watermarks: try reader.readBytes())
  }

  private static func decodeOperator(_ reader: inout StateReader) throws(StateError) -> CheckpointManifest.Operator {
    let step = try reader.readString()
    let role = try reader.readString()
    let signature = try reader.readString()
    let watermark = try reader.readInt64()
    return CheckpointManifest.Operator(
      step: step, role: role, signature: signature, watermark: watermark, sizeBytes: Int(try reader.readInt64()),
      entryCount: Int(try reader.readInt64()))
  }

  private static func decodeDropped(_ reader: inout StateReader) throws(StateError) -> CheckpointManifest.DroppedState {
    CheckpointManifest.DroppedState(
      step: try reader.readString(), checkpoint: try reader.readInt64(), sizeBytes: Int(try reader.readInt64()),
      entryCount: Int(try reader.readInt64()))
  }

  private static func decodeFile(_ reader: inout StateReader) throws(StateError) -> CheckpointManifest.File {
    CheckpointManifest.File(
      name: try reader.readString(), sizeBytes: Int(try reader.readInt64()),
      checksum: UInt64(bitPattern: try reader.readInt64()))
  }

  private static func decodePart(_ reader: inout StateReader) throws(StateError) -> CheckpointManifest.Part {
    CheckpointManifest.Part(
      sink: try reader.readString(), pendingPath: try reader.readString(), finalPath: try reader.readString(),
      rows: try reader.readCount())
  }
}

extension StateWriter {
  fileprivate mutating func write(_ text: String) { write(Array(text.utf8)) }
}

extension StateReader {
  fileprivate mutating func readString() throws(StateError) -> String {
    String(decoding: try readBytes(), as: UTF8.self)
  }
}
