import StreamModel

/// Numbers the keys of one batch in the order in which they are first seen.
///
/// Unlike a `GroupTable` it keeps no key: as long as the batch is there, the first row of a group has it. Open addressing with
/// linear probing over the numbers of groups, at most half full. One owner.
final class BatchKeyIndex {
  /// The number of a group plus one; 0 for an empty bucket.
  private let buckets = Scratch<Int32>(capacity: 1024)

  /// Writes the group of each of `rows` to `groups`, and to `firstRows` the first row of each group and to `rowCounts` how many it
  /// has; each with room for as many as there are rows. Returns how many groups there are.
  func number(
    _ rows: UnsafeBufferPointer<Int32>, _ keys: KeyBatch, groups: UnsafeMutablePointer<Int32>,
    firstRows: UnsafeMutablePointer<Int32>, rowCounts: UnsafeMutablePointer<Int32>
  ) -> Int {
    var bucketCount = 1024
    while bucketCount < rows.count * 2 { bucketCount *= 2 }
    let buckets = buckets.reserve(bucketCount)
    buckets.update(repeating: 0, count: bucketCount)
    let mask = bucketCount &- 1
    let hashes = keys.hashes
    var count = 0
    for index in 0..<rows.count {
      let row = Int(rows[index])
      let hash = hashes[row]
      var position = Int(truncatingIfNeeded: hash) & mask
      while true {
        let number = Int(buckets[position]) &- 1
        if number < 0 {
          buckets[position] = Int32(truncatingIfNeeded: count &+ 1)
          firstRows[count] = Int32(truncatingIfNeeded: row)
          rowCounts[count] = 1
          groups[index] = Int32(truncatingIfNeeded: count)
          count &+= 1
          break
        }
        let first = Int(firstRows[number])
        if hashes[first] == hash, KeyBatch.equal(keys.key(first), keys.key(row)) {
          rowCounts[number] &+= 1
          groups[index] = Int32(truncatingIfNeeded: number)
          break
        }
        position = (position &+ 1) & mask
      }
    }
    return count
  }
}
