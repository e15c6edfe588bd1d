import Formats
import StreamModel

/// Decompresses a file as it is read.
///
/// What cannot be decompressed is no error: the file ends there, and `damage` says so. Where that is depends on the file's bytes
/// alone, since the decompressor is always called with the same pieces of them, however the caller reads.
final class FileInflation {
  private static let inputBytes = 1 << 18
  private static let outputBytes = 1 << 18

  private let file: OpenFile
  private let inflater: any StreamInflater
  private let input = Memory(capacityBytes: FileInflation.inputBytes)
  private let output = Memory(capacityBytes: FileInflation.outputBytes)
  /// The bytes of `input` not consumed yet, and those of `output` not handed out yet.
  private var pending = 0..<0
  private var ready = 0..<0
  /// Where the file goes on behind `input`.
  private var fileOffset: Int64 = 0
  private var isAtEnd = false
  private(set) var damage: String?

  /// Nil for a file that is not compressed, by its name.
  init?(_ file: OpenFile) {
    guard let compression = Compression(ofFile: file.path) else { return nil }
    inflater = compression.makeInflater()
    self.file = file
  }

  /// Gives some decompressed bytes; 0 only at the end, or where the rest is damaged.
  func read(into target: UnsafeMutableRawBufferPointer) throws(ConnectorError) -> Int {
    while ready.isEmpty {
      if isAtEnd { return 0 }
      try inflate()
    }
    let count = min(target.count, ready.count)
    target.copyMemory(from: UnsafeRawBufferPointer(start: output.base + ready.lowerBound, count: count))
    ready = (ready.lowerBound + count)..<ready.upperBound
    return count
  }

  private func inflate() throws(ConnectorError) {
    if pending.isEmpty { try refill() }
    let start = input.base.assumingMemoryBound(to: UInt8.self) + pending.lowerBound
    let target = UnsafeMutableRawBufferPointer(start: output.base, count: FileInflation.outputBytes)
    do {
      let step = try inflater.inflate(
        from: UnsafeBufferPointer(start: start, count: pending.count), into: target.assumingMemoryBound(to: UInt8.self))
      pending = (pending.lowerBound + step.consumed)..<pending.upperBound
      ready = 0..<step.produced
      // Neither input taken nor output given: nothing follows, or nothing that can be understood.
      if step.consumed == 0 && step.produced == 0 { try finish() }
    } catch {
      isAtEnd = true
      note(error)
    }
  }

  private func refill() throws(ConnectorError) {
    let area = UnsafeMutableRawBufferPointer(start: input.base, count: FileInflation.inputBytes)
    var filled = 0
    // Whole, so that pieces end at the same bytes every time.
    while filled < area.count {
      let given = try file.read(into: UnsafeMutableRawBufferPointer(rebasing: area[filled...]), at: fileOffset)
      if given == 0 { break }
      fileOffset += Int64(given)
      filled += given
    }
    pending = 0..<filled
  }

  private func finish() throws(FormatError) {
    isAtEnd = true
    try inflater.finish()
    if !pending.isEmpty { throw FormatError("\(pending.count) bytes behind its end are no compressed data") }
  }

  private func note(_ error: FormatError) {
    let unread = file.sizeBytes - fileOffset + Int64(pending.count)
    damage =
      "the file cannot be decompressed further: \(error); of its \(file.sizeBytes) bytes the last \(unread) are not read — compress or fetch the file again, and replay what it lacks"
  }
}
