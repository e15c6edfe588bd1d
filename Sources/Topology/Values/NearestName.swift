/// Finds the name that was probably meant.
enum NearestName {
  /// `did you mean a?`, or the names there are, or `otherwise` where there is none.
  static func suggestion(for name: String, among names: [String], otherwise: String) -> String {
    if let nearest = nearest(to: name, among: names) { return "did you mean `\(nearest)`?" }
    guard !names.isEmpty else { return otherwise }
    let listed = names.prefix(20).joined(separator: ", ")
    return "known here: \(listed)\(names.count > 20 ? ", …" : "")"
  }

  /// The name with the fewest typing slips to `name`, if they are few enough for its length.
  static func nearest(to name: String, among names: [String]) -> String? {
    guard name.utf8.count <= 64 else { return nil }
    let written = Array(name.lowercased().utf8)
    let bound = written.count <= 1 ? 0 : written.count <= 3 ? 1 : written.count <= 6 ? 2 : 3
    var best: (name: String, distance: Int)?
    for candidate in names where candidate.utf8.count <= 64 {
      let distance = distance(written, Array(candidate.lowercased().utf8))
      if distance <= bound, distance < best?.distance ?? .max { best = (candidate, distance) }
    }
    return best?.name
  }

  /// Insertions, deletions, replacements and swaps of neighbours (optimal string alignment).
  private static func distance(_ left: [UInt8], _ right: [UInt8]) -> Int {
    var previous: [Int] = []
    var current = Array(0...right.count)
    for row in 0..<left.count {
      let older = previous
      previous = current
      current = [row + 1] + previous.dropFirst()
      for column in 0..<right.count {
        let replacement = previous[column] + (left[row] == right[column] ? 0 : 1)
        current[column + 1] = min(replacement, previous[column + 1] + 1, current[column] + 1)
        if row > 0, column > 0, left[row] == right[column - 1], left[row - 1] == right[column] {
          current[column + 1] = min(current[column + 1], older[column - 1] + 1)
        }
      }
    }
    return current[right.count]
  }
}
