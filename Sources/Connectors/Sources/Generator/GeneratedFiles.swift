import Formats
import Glibc
import StreamModel

/// Writes `spec.rows` generated records into `files` files of equal size: `weir generate`.
///
/// One file is `path` itself, unless that is a directory; several are `usage-00001.json` and so on in directory `path`. Files
/// of those names are replaced. CSV files begin with a header each, unless the format has none.
/// - Returns: What was made.
package func writeGenerated(
  _ spec: GeneratorSpec, to path: String, format: Format, files: Int = 1
) throws(ConnectorError) -> GeneratedCounts {
  let rows = try boundedRows(spec)
  let place = "generate"
  guard !path.hasSuffix(".gz"), !path.hasSuffix(".zst") else {
    throw ConnectorError(
      "\(place): \(path): compressed files are read, not written — leave the .gz or .zst away and compress the file then"
    )
  }
  let names = try targets(path, rows: rows, format: format, files: max(1, files), place: place)
  let writer = GeneratedRecordWriter(spec, format: format)
  let (share, rest) = rows.quotientAndRemainder(dividingBy: Int64(names.count))
  for (index, name) in names.enumerated() {
    let output = try FileOutput(replacing: name, place: place)
    try writer.write(share + (Int64(index) < rest ? 1 : 0), to: output)
  }
  return writer.counts
}

/// Writes `spec.rows` generated records to a descriptor.
package func writeGenerated(
  _ spec: GeneratorSpec, toDescriptor descriptor: Int32, format: Format
) throws(ConnectorError) -> GeneratedCounts {
  let writer = GeneratedRecordWriter(spec, format: format)
  let output = FileOutput(descriptor: descriptor, path: "standard output", place: "generate")
  try writer.write(try boundedRows(spec), to: output)
  return writer.counts
}

private func boundedRows(_ spec: GeneratorSpec) throws(ConnectorError) -> Int64 {
  guard let rows = spec.rows, rows >= 0 else {
    throw ConnectorError("generate: how many records to write is not said — give a number of rows")
  }
  return rows
}

private func targets(
  _ path: String, rows: Int64, format: Format, files: Int, place: String
) throws(ConnectorError) -> [String] {
  var suffix = "json"
  if case .csv = format { suffix = "csv" }
  var status = stat()
  let isDirectory = path.hasSuffix("/") || (stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR)
  let trimmed = path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
  if files == 1 && !isDirectory {
    if let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")), slash > path.startIndex {
      try OutputDirectory(path: String(path[..<slash]), place: place).create()
    }
    return [path]
  }
  try OutputDirectory(path: trimmed, place: place).create()
  let width = max(5, String(files).count)
  return (1...files).map { number in
    let digits = String(number)
    return "\(trimmed)/usage-\(String(repeating: "0", count: width - digits.count))\(digits).\(suffix)"
  }
}

/// Hands generated records out in runs of any length.
private final class GeneratedRecordWriter {
  private let generator: UsageGenerator
  private var block: Int64 = 0
  private var record = 0
  private var isGenerated = false

  init(_ spec: GeneratorSpec, format: Format) {
    generator = UsageGenerator(spec, format: format)
  }

  var counts: GeneratedCounts { generator.counts }

  /// Writes a header and the next `rows` records.
  func write(_ rows: Int64, to output: FileOutput) throws(ConnectorError) {
    let header = generator.header
    if !header.isEmpty {
      var buffer = ByteBuffer(capacity: header.count)
      header.withUnsafeBufferPointer { buffer.append($0) }
      try output.write(buffer.bytes)
    }
    var left = rows
    while left > 0 {
      makeBlock()
      let count = Int(min(left, Int64(generator.ends.count - record)))
      let start = record == 0 ? 0 : generator.ends[record - 1]
      let end = generator.ends[record + count - 1]
      try output.write(UnsafeBufferPointer(rebasing: generator.bytes[start..<end]))
      record += count
      left -= Int64(count)
    }
  }

  private func makeBlock() {
    if isGenerated && record < generator.ends.count { return }
    if isGenerated { block += 1 }
    generator.generate(block: block)
    record = 0
    isGenerated = true
  }
}
