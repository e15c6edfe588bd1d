import StreamModel
import TestSupport
import Testing

@testable import Operators

@Suite struct BatchKeyIndexTests {
  private struct Groups: Equatable {
    var ofRow: [Int32] = []
    var firstRows: [Int32] = []
    var rowCounts: [Int32] = []
  }

  /// What the index makes of `keys`, whose hashes `hash` gives.
  private static func groups(
    _ keys: [[UInt8]], _ rows: [Int32], _ index: BatchKeyIndex, hash: (UnsafeRawBufferPointer) -> UInt64
  ) -> Groups {
    let bytes = Array(keys.joined()) + [0]
    let offsets = keys.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) }
    let hashes = keys.map { $0.withUnsafeBytes(hash) }
    let (groups, firstRows, rowCounts) = (Scratch<Int32>(), Scratch<Int32>(), Scratch<Int32>())
    let count = bytes.withUnsafeBytes { bytes in
      offsets.withUnsafeBufferPointer { offsets in
        hashes.withUnsafeBufferPointer { hashes in
          rows.withUnsafeBufferPointer { rows in
            let batch = KeyBatch(
              bytes: bytes.baseAddress.unsafelyUnwrapped, offsets: offsets.baseAddress.unsafelyUnwrapped,
              hashes: hashes.baseAddress.unsafelyUnwrapped)
            return index.number(
              rows, batch, groups: groups.reserve(rows.count), firstRows: firstRows.reserve(rows.count),
              rowCounts: rowCounts.reserve(rows.count))
          }
        }
      }
    }
    return Groups(
      ofRow: Array(UnsafeBufferPointer(start: groups.base, count: rows.count)),
      firstRows: Array(UnsafeBufferPointer(start: firstRows.base, count: count)),
      rowCounts: Array(UnsafeBufferPointer(start: rowCounts.base, count: count)))
  }

  private static func model(_ keys: [[UInt8]], _ rows: [Int32]) -> Groups {
    var groups = Groups()
    var known: [[UInt8]: Int32] = [:]
    for row in rows {
      let key = keys[Int(row)]
      let group = known[key] ?? Int32(known.count)
      if known.updateValue(group, forKey: key) == nil {
        groups.firstRows.append(row)
        groups.rowCounts.append(0)
      }
      groups.rowCounts[Int(group)] += 1
      groups.ofRow.append(group)
    }
    return groups
  }

  @Test func groupsAreNumbered_inOrderOfFirstSight_alsoWhereHashesCollide() throws {
    let hashes: [(UnsafeRawBufferPointer) -> UInt64] = [KeyEncoder.hash, { _ in 7 }, { UInt64($0.count) << 40 }]
    try TestSeeds.each(4) { random in
      let index = BatchKeyIndex()
      for hash in hashes {
        let keys = (0..<Int(random.int(1...2000))).map { _ in
          [UInt8](repeating: UInt8(random.int(0...2)), count: Int(random.int(0...20))) + [UInt8(random.int(0...40))]
        }
        let rows = keys.indices.filter { _ in random.chance(0.8) }.map { Int32($0) }
        let groups = Self.groups(keys, rows, index, hash: hash)
        #expect(groups == Self.model(keys, rows))
      }
    }
  }
}
