import Formats
import Glibc
import StreamModel

/// Writes records back into files of their format, one for each header that their own files had, or to the standard output.
///
/// Files grow under hidden names and get their own, `replay-<source>-<n>.json`, when all of them are whole.
final class FileReplayTarget: ReplayTarget {
  private let source: String
  private let format: Format
  private let directory: String?
  private let place: String
  private var outputs: [Output] = []
  /// By partition: its place in `outputs`.
  private var known: [String: Int] = [:]
  private var isOpen = false

  private static let bufferBytes = 1 << 20

  private final class Output {
    let framing: RecordFraming
    let file: FileOutput
    var buffer = ByteBuffer()

    init(_ framing: RecordFraming, _ file: FileOutput) {
      self.framing = framing
      self.file = file
      framing.header.withUnsafeBufferPointer { buffer.append($0) }
    }
  }

  init(source: String, format: Format, directory: String?) {
    self.source = source
    self.format = format
    self.directory = directory
    place = "sources.\(source)"
  }

  func write(_ letter: DeadLetter) throws(ConnectorError) {
    let output = try output(for: letter.partition ?? "")
    output.framing.append(letter.record, to: &output.buffer)
    if output.buffer.count >= FileReplayTarget.bufferBytes { try flush(output) }
  }

  private func flush(_ output: Output) throws(ConnectorError) {
    try output.file.write(output.buffer.bytes)
    output.buffer.removeAll()
  }

  private func output(for partition: String) throws(ConnectorError) -> Output {
    if let index = known[partition] { return outputs[index] }
    let framing: RecordFraming
    do {
      framing = try RecordFraming(format, prologue: try prologue(of: partition))
    } catch let error as ConnectorError {
      throw error
    } catch {
      throw ConnectorError("\(place): \(partition): \(error)")
    }
    if let index = outputs.firstIndex(where: { $0.framing.header == framing.header }) {
      known[partition] = index
      return outputs[index]
    }
    let output = Output(framing, try makeFile())
    known[partition] = outputs.count
    outputs.append(output)
    return output
  }

  /// The header of the file that records were read from, where the format has one.
  private func prologue(of partition: String) throws(ConnectorError) -> [UInt8] {
    guard format.makeSplitter().hasPrologue else { return [] }
    let chunks = try FileChunks(
      partition: SourcePartition(source: source, name: partition, index: 0), start: 0, format: format,
      maxRecordBytes: Format.maxRecordBytes, place: place)
    return chunks.prologue
  }

  private func makeFile() throws(ConnectorError) -> FileOutput {
    guard let directory else {
      if !outputs.isEmpty {
        throw ConnectorError(
          "\(place): the letters are of files with different headers, which one output cannot hold — write them to a directory: --to DIRECTORY"
        )
      }
      return FileOutput(descriptor: STDOUT_FILENO, path: "stdout", place: place)
    }
    if !isOpen { try OutputDirectory(path: directory, place: place).create() }
    isOpen = true
    return try FileOutput(creating: "\(directory)/.replay-\(source)-\(getpid())-\(outputs.count).pending", place: place)
  }

  func finish() throws(ConnectorError) -> [String] {
    for output in outputs {
      try flush(output)
      if directory != nil { try output.file.sync() }
    }
    guard let directory else { return outputs.isEmpty ? [] : ["stdout"] }
    var names: [String] = []
    for output in outputs { names.append(try publish(output.file, in: directory)) }
    if !outputs.isEmpty { try OutputDirectory(path: directory, place: place).sync() }
    return names
  }

  /// Gives a file the first name that is free.
  private func publish(_ file: FileOutput, in directory: String) throws(ConnectorError) -> String {
    var number = 1
    while true {
      let path = "\(directory)/replay-\(source)-\(number).\(SinkConnector.suffix(format))"
      if link(file.path, path) == 0 {
        unlink(file.path)
        return path
      }
      if errno != EEXIST { throw .system(errno, place: place, path: path, cannot: "give the records their final name") }
      number += 1
    }
  }

  func abandon() {
    if directory != nil { for output in outputs { unlink(output.file.path) } }
  }
}
