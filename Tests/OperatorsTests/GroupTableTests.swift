import StreamModel
import TestSupport
import Testing

@testable import Operators

@Suite struct GroupTableTests {
  static func insert(_ key: [UInt8], _ table: GroupTable) -> Int32 {
    key.withUnsafeBytes { table.insert($0, hash: KeyEncoder.hash($0)) }
  }

  static func slot(_ key: [UInt8], _ table: GroupTable) -> Int32 {
    key.withUnsafeBytes { table.slot(of: $0, hash: KeyEncoder.hash($0)) }
  }

  @Test func randomInsertionsAndRemovals_agreeWithADictionary() throws {
    try TestSeeds.each(6) { random in
      let table = GroupTable()
      var model: [[UInt8]: Int32] = [:]
      for _ in 0..<20_000 {
        let length = Int(random.int(0...24))
        let key = [UInt8](repeating: UInt8(random.int(0...3)), count: length) + [UInt8(random.int(0...255))]
        if let slot = model[key], random.chance(0.6) {
          table.remove(slot)
          model[key] = nil
          #expect(Self.slot(key, table) == -1)
        } else {
          let slot = Self.insert(key, table)
          if let known = model[key] { #expect(known == slot) }
          model[key] = slot
        }
      }
      #expect(table.count == model.count && Set(model.values).count == model.count)
      for (key, slot) in model {
        #expect(Self.slot(key, table) == slot && [UInt8](table.key(slot)) == key)
      }
    }
  }

  @Test func slotsAreDense_inOrderOfFirstSight() {
    let table = GroupTable()
    let keys = (0..<5000).map { Array("key-\($0)".utf8) }
    for (index, key) in keys.enumerated() { #expect(Self.insert(key, table) == Int32(index)) }
    for (index, key) in keys.enumerated() { #expect(Self.insert(key, table) == Int32(index)) }
    #expect(table.slotCount == 5000)
  }

  @Test func aTableThatMayGetMany_staysSmallUntilAPartOfThemHasCome() {
    let table = GroupTable()
    table.expect(64_000)
    for index in 0..<100 { _ = Self.insert(Array("key-\(index)".utf8), table) }
    #expect(table.sizeBytes < 16_000)
    let keys = (0..<8000).map { Array("key-\($0)".utf8) }
    for (index, key) in keys.enumerated() { #expect(Self.insert(key, table) == Int32(index)) }
    #expect(table.sizeBytes > 64_000 * 8)
    let grown = table.sizeBytes
    for (index, key) in keys.enumerated() { #expect(Self.slot(key, table) == Int32(index)) }
    table.reserve(64_000)
    #expect(table.sizeBytes == grown, "there was room for all")
  }

  @Test func aBatchIsLookedUpAsItsRowsAre() throws {
    try TestSeeds.each(5) { random in
      let schema = Schema([Field("a", .string), Field("b", .int64)])
      let table = GroupTable()
      let single = GroupTable()
      let encoder = KeyEncoder(keyColumns: [0, 1])
      for _ in 0..<5 {
        let rows = (0..<700).map { _ in
          TestRow(
            at: 0, [random.chance(0.1) ? .null : .string("account-\(random.int(0...300))"), .int64(random.int(0...2))])
        }
        encoder.encode(TestRows(schema, rows).batch())
        let positions = (0..<700).map { Int32($0) }
        var slots = [Int32](repeating: -1, count: 700)
        table.assign(KeyBatch(encoder), rows: positions, count: 700, slots: &slots)
        for row in 0..<700 { #expect(slots[row] == single.insert(encoder.key(row), hash: encoder.hashes[row])) }
      }
      #expect(table.count == single.count)
    }
  }

  @Test func textsThatAreReplacedOften_takeRoomOnce() {
    let area = TextArea()
    let cell = UnsafeMutableRawPointer.allocate(byteCount: 16, alignment: 8)
    defer { cell.deallocate() }
    cell.initializeMemory(as: UInt8.self, repeating: 0, count: 16)
    for round in 0..<10_000 {
      let text = [UInt8](repeating: UInt8(round % 250), count: round % 500)
      text.withUnsafeBytes { area.set(cell, to: $0) }
      #expect([UInt8](area.text(cell)) == text)
    }
    #expect(area.sizeBytes < 8192)
  }
}
