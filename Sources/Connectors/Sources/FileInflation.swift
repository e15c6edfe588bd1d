import Formats
import StreamModel

/// Decompresses a file as it is read.
final class FileInflation {
  private static let inputBytes = 1 << 18

  private let file: OpenFile
  private let inflater: any StreamInflater
  private let input = Memory(capacityBytes: FileInflation.inputBytes)
  /// The bytes of `input` not consumed yet.
  private var pending = 0..<0
  /// Where the file goes on behind `input`.
  private var fileOffset: Int64 = 0

  /// Nil for a file that is not compressed, by its name.
  init?(_ file: OpenFile) {
    if file.path.hasSuffix(".gz") {
      inflater = GzipInflater()
    } else if file.path.hasSuffix(".zst") {
      inflater = ZstdInflater()
    } else {
      return nil
    }
    self.file = file
  }

  /// Decompresses some bytes; 0 only at the end.
  func read(into target: UnsafeMutableRawBufferPointer) throws(ConnectorError) -> Int {
    while true {
      if pending.isEmpty { try refill() }
      let before = pending.count
      let produced = try inflate(into: target)
      if produced > 0 { return produced }
      if pending.count == before {
        // Neither input taken nor output given: nothing follows, or nothing that can be understood.
        try finish()
        return 0
      }
    }
  }

  private func refill() throws(ConnectorError) {
    let area = UnsafeMutableRawBufferPointer(start: input.base, count: FileInflation.inputBytes)
    let given = try file.read(into: area, at: fileOffset)
    fileOffset += Int64(given)
    pending = 0..<given
  }

  private func inflate(into target: UnsafeMutableRawBufferPointer) throws(ConnectorError) -> Int {
    let start = input.base.assumingMemoryBound(to: UInt8.self) + pending.lowerBound
    do {
      let step = try inflater.inflate(
        from: UnsafeBufferPointer(start: start, count: pending.count), into: target.assumingMemoryBound(to: UInt8.self))
      pending = (pending.lowerBound + step.consumed)..<pending.upperBound
      return step.produced
    } catch {
      throw damage(error)
    }
  }

  private func finish() throws(ConnectorError) {
    do { try inflater.finish() } catch { throw damage(error) }
    if !pending.isEmpty { throw damage(FormatError("\(pending.count) bytes behind its end are no compressed data")) }
  }

  private func damage(_ error: FormatError) -> ConnectorError {
    file.error("cannot be decompressed: \(error) — compress or fetch the file again")
  }
}
