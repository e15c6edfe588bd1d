import State
import StreamModel
import TestSupport
import Testing

struct StateCodecTests {
  @Test func whatIsWritten_isReadBack() throws {
    var writer = StateWriter()
    writer.write(count: 300)
    writer.write(UInt64.max)
    writer.write(Int64.min)
    writer.write(Int128.max)
    writer.write(-0.5)
    writer.write(true)
    writer.write([1, 2, 3])
    writer.write([])
    var reader = StateReader(writer.bytes)
    #expect(try reader.readCount() == 300)
    #expect(try reader.readUInt64() == .max)
    #expect(try reader.readInt64() == .min)
    #expect(try reader.readInt128() == .max)
    #expect(try reader.readDouble() == -0.5)
    #expect(try reader.readBool())
    #expect(try reader.readBytes() == [1, 2, 3])
    #expect(try reader.readBytes() == [])
    #expect(reader.isAtEnd)
  }

  @Test func bytesCutShort_areMalformedWhereverTheCut() {
    var writer = StateWriter()
    writer.write(count: 1000)
    writer.write(Int64(7))
    writer.write([9, 8, 7])
    for length in 0..<writer.bytes.count {
      var reader = StateReader(Array(writer.bytes.prefix(length)))
      #expect(throws: StateError.self) {
        _ = try reader.readCount()
        _ = try reader.readInt64()
        _ = try reader.readBytes()
      }
    }
  }

  @Test func anImpossibleCount_isMalformed() {
    var writer = StateWriter()
    writer.write(UInt64.max)
    var reader = StateReader(writer.bytes)
    #expect(throws: StateError.self) { try reader.readCount() }
  }
}

struct StateRangeTests {
  @Test func theKeysOfSubtasks_areDisjointRangesOfEveryPrefix() {
    for parallelism in [1, 2, 5, 16, 128] {
      let store = StateStore(backend: MemoryStateBackend(), budget: StateBudget(limitBytes: 1 << 30))
      let ranges = (0..<parallelism).map { subtask in
        let keyGroups = KeyGroup.range(ofSubtask: subtask, parallelism: parallelism)
        return store.open(family: "test", keyGroups: keyGroups).range(prefix: [7])
      }
      for group in 0..<KeyGroup.count {
        for lowerBits: UInt64 in [0, 1 << 57 - 1] {
          let hash = UInt64(group) << 57 | lowerBits
          let key = [UInt8](1...2).withUnsafeBytes { StateKey.make([7], $0, hash: hash) }
          let owners = ranges.indices.filter { owner in
            !key.lexicographicallyPrecedes(ranges[owner].from) && key.lexicographicallyPrecedes(ranges[owner].to)
          }
          #expect(owners == [KeyGroup.subtask(ofGroup: KeyGroup.of(hash: hash), parallelism: parallelism)])
        }
      }
    }
  }
}
