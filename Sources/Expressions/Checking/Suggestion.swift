/// Finds the name that was probably meant.
enum Suggestion {
  /// `did you mean x?`, or nil when nothing in `names` is near `name`.
  static func mend(for name: String, among names: some Sequence<String>) -> String? {
    guard name.utf8.count <= 64 else { return nil }
    let wanted = name.lowercased()
    let bound = max(1, wanted.utf8.count / 3)
    let nearest = names.lazy.map { (name: $0, distance: distance(wanted, $0.lowercased())) }
      .min { ($0.distance, $0.name) < ($1.distance, $1.name) }
    guard let nearest, nearest.distance <= bound else { return nil }
    return "did you mean \(nearest.name)?"
  }

  /// How many letters must be added, dropped, changed or exchanged with their neighbour.
  static func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left.utf8)
    let right = Array(right.utf8)
    var before: [Int] = []
    var last = Array(0...right.count)
    for row in 0..<left.count {
      var next = [row + 1] + Array(repeating: 0, count: right.count)
      for column in 0..<right.count {
        let change = last[column] + (left[row] == right[column] ? 0 : 1)
        next[column + 1] = min(change, last[column + 1] + 1, next[column] + 1)
        if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
          next[column + 1] = min(next[column + 1], before[column - 1] + 1)
        }
      }
      before = last
      last = next
    }
    return last[right.count]
  }
}
