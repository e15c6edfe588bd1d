import Testing

@testable import Formats

@Suite struct InflaterTests {
  // `printf 'hello, hello, hello, weir\n' | gzip -9n` and `| zstd -19`.
  private static let gzip = "H4sIAAAAAAACA8tIzcnJ11HIQKHKUzOLuADly2B6GgAAAA=="
  private static let zstd = "KLUv/QRolQAAYGhlbGxvLCB3ZWlyCgEAkosRUYjThA=="
  private static let plain = Array("hello, hello, hello, weir\n".utf8)

  /// A gzip member of stored blocks, written by hand.
  private static func stored(_ bytes: [UInt8]) -> [UInt8] {
    var member: [UInt8] = [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255]
    var rest = bytes[...]
    repeat {
      let block = rest.prefix(60_000)
      rest = rest.dropFirst(60_000)
      let length = UInt16(block.count)
      member += [
        rest.isEmpty ? 1 : 0, UInt8(length & 255), UInt8(length >> 8), UInt8(~length & 255), UInt8(~length >> 8),
      ]
      member += block
    } while !rest.isEmpty
    var checksum: UInt32 = ~0
    for byte in bytes {
      checksum ^= UInt32(byte)
      for _ in 0..<8 { checksum = checksum & 1 == 1 ? checksum >> 1 ^ 0xEDB8_8320 : checksum >> 1 }
    }
    for word in [~checksum, UInt32(bytes.count)] {
      member += (0..<4).map { UInt8(truncatingIfNeeded: word >> (8 * $0)) }
    }
    return member
  }

  /// A zstd frame of raw blocks, written by hand (RFC 8878, 3.1.1).
  private static func rawFrame(_ bytes: [UInt8]) -> [UInt8] {
    var frame: [UInt8] = [0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x38]
    var rest = bytes[...]
    repeat {
      let block = rest.prefix(60_000)
      rest = rest.dropFirst(60_000)
      let header = UInt32(block.count) << 3 | (rest.isEmpty ? 1 : 0)
      frame += (0..<3).map { UInt8(truncatingIfNeeded: header >> (8 * $0)) } + block
    } while !rest.isEmpty
    return frame
  }

  /// Unpacks `packed` in pieces of random sizes, with room of random sizes.
  private func unpack(
    _ inflater: any StreamInflater, _ packed: [UInt8], _ random: inout TestRandom
  ) throws(FormatError) -> [UInt8] {
    var unpacked: [UInt8] = []
    var start = 0
    var available = 0
    while true {
      available = min(packed.count, max(available, start) + 1 + random.below(random.pick([2, 100, 100_000])))
      var target = [UInt8](repeating: 0, count: 1 + random.below(random.pick([2, 100, 100_000])))
      let piece = Array(packed[start..<available])
      let step = try inflate(inflater, piece, &target)
      unpacked += target[..<step.produced]
      start += step.consumed
      if start == packed.count && step.produced < target.count { break }
    }
    try inflater.finish()
    return unpacked
  }

  private func inflate(
    _ inflater: any StreamInflater, _ source: [UInt8], _ target: inout [UInt8]
  ) throws(FormatError) -> (consumed: Int, produced: Int, isAtEnd: Bool) {
    let outcome = source.withUnsafeBufferPointer { source in
      target.withUnsafeMutableBufferPointer { target in
        Result { () throws(FormatError) in try inflater.inflate(from: source, into: target) }
      }
    }
    return try outcome.get()
  }

  private func random(_ count: Int, _ random: inout TestRandom) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }

  @Test func whatGzipPacked_isUnpacked() throws {
    var random = TestRandom()
    let packed = try #require(Base64.decode(Self.gzip))
    #expect(try unpack(GzipInflater(), packed, &random) == Self.plain, "seed \(random.seed)")
  }

  @Test func whatZstdPacked_isUnpacked() throws {
    var random = TestRandom()
    let packed = try #require(Base64.decode(Self.zstd))
    #expect(try unpack(ZstdInflater(), packed, &random) == Self.plain, "seed \(random.seed)")
  }

  @Test func membersAndFrames_followOneAnother() throws {
    var random = TestRandom()
    let first = self.random(150_000, &random)
    let second = self.random(7, &random)
    let members = Self.stored(first) + Self.stored([]) + Self.stored(second)
    #expect(try unpack(GzipInflater(), members, &random) == first + second, "seed \(random.seed)")
    #expect(try unpack(GzipInflater(), members + [0, 0, 0], &random) == first + second, "seed \(random.seed)")
    let frames = Self.rawFrame(first) + Self.rawFrame([]) + Self.rawFrame(second)
    #expect(try unpack(ZstdInflater(), frames, &random) == first + second, "seed \(random.seed)")
  }

  @Test func aStreamCutShort_saysSo() throws {
    var random = TestRandom()
    let bytes = self.random(1000, &random)
    for length in [1, 5, 12, 500, 1017] {
      let gzip = #expect(throws: FormatError.self) {
        try unpack(GzipInflater(), Array(Self.stored(bytes)[..<length]), &random)
      }
      #expect(gzip?.description.contains("cut short: it ends at byte \(length)") == true, "\(length) \(gzip as Any)")
    }
    for length in [1, 5, 8, 500, 1008] {
      let zstd = #expect(throws: FormatError.self) {
        try unpack(ZstdInflater(), Array(Self.rawFrame(bytes)[..<length]), &random)
      }
      #expect(zstd?.description.contains("cut short: it ends at byte \(length)") == true, "\(length) \(zstd as Any)")
    }
    for inflater in [GzipInflater(), ZstdInflater()] as [any StreamInflater] {
      let error = #expect(throws: FormatError.self) { try inflater.finish() }
      #expect(error?.description.contains("empty") == true)
    }
  }

  @Test func aCorruptStream_saysWhere() throws {
    var random = TestRandom()
    var packed = Self.stored(Array("some text".utf8))
    packed[packed.count - 8] ^= 1
    let checksum = #expect(throws: FormatError.self) { try unpack(GzipInflater(), packed, &random) }
    #expect(checksum?.description.contains("incorrect data check") == true)
    let noGzip = #expect(throws: FormatError.self) { try unpack(GzipInflater(), Array("{\"a\":1}\n".utf8), &random) }
    #expect(noGzip?.description.contains("the gzip stream is corrupt after byte") == true)
    let noZstd = #expect(throws: FormatError.self) { try unpack(ZstdInflater(), Array("{\"a\":1}\n".utf8), &random) }
    #expect(noZstd?.description.contains("the zstd stream is corrupt after byte") == true)
    #expect(throws: FormatError.self) { try unpack(GzipInflater(), Self.stored([1]) + [0, 7], &random) }
  }

  @Test func noBytes_crashThem() throws {
    var random = TestRandom()
    let packed = [try #require(Base64.decode(Self.gzip)), try #require(Base64.decode(Self.zstd))]
    for _ in 0..<3000 {
      let index = random.below(2)
      let damaged = random.mutated(packed[index])
      let inflater: any StreamInflater = index == 0 ? GzipInflater() : ZstdInflater()
      if let bytes = try? unpack(inflater, damaged, &random) { #expect(bytes.count < 1_000_000, "seed \(random.seed)") }
    }
  }
}
