/// One way of running a script that must not show in the results.
package struct HarnessVariant: Sendable, CustomStringConvertible {
  /// How rows are cut into batches.
  package enum Cut: Sendable {
    case every(Int)
    case random
  }

  /// When watermarks are delivered: after the batch of the rows before them, or some time later.
  package enum Watermarks: Sendable { case prompt, delayed }

  /// What happens between any two elements.
  package enum Pause: Sendable {
    case nothing
    /// The state moves into a fresh operator.
    case restore
    /// The state moves into one, two or three fresh operators, each with its range of key groups.
    case rescale
  }

  package let cut: Cut
  package let watermarks: Watermarks
  package let pause: Pause
  /// Whether the rows of different inputs are interleaved anew.
  package let isInterleavedAnew: Bool
  /// Whether operators now and then write their state out and let go of it.
  package let spills: Bool

  package init(
    _ cut: Cut, _ watermarks: Watermarks, _ pause: Pause = .nothing, isInterleavedAnew: Bool = false,
    spills: Bool = false
  ) {
    self.spills = spills
    self.cut = cut
    self.watermarks = watermarks
    self.pause = pause
    self.isInterleavedAnew = isInterleavedAnew
  }

  /// Record at a time: what all others are compared with.
  package static let recordAtATime = HarnessVariant(.every(1), .prompt)

  /// All variants but that one.
  static func all(isKeyed: Bool, commutes: Bool) -> [HarnessVariant] {
    var variants = [
      HarnessVariant(.every(7), .prompt), HarnessVariant(.every(4096), .prompt), HarnessVariant(.random, .prompt),
      HarnessVariant(.every(1), .delayed), HarnessVariant(.every(7), .delayed), HarnessVariant(.every(4096), .delayed),
      HarnessVariant(.random, .delayed), HarnessVariant(.random, .delayed),
      HarnessVariant(.every(1), .prompt, .restore), HarnessVariant(.random, .delayed, .restore),
      HarnessVariant(.every(1), .prompt, spills: true), HarnessVariant(.random, .delayed, spills: true),
      HarnessVariant(.random, .delayed, .restore, spills: true),
    ]
    if isKeyed {
      variants += [
        HarnessVariant(.every(1), .prompt, .rescale), HarnessVariant(.every(7), .prompt, .rescale),
        HarnessVariant(.random, .delayed, .rescale), HarnessVariant(.every(7), .delayed, .rescale, spills: true),
      ]
    }
    if commutes {
      variants += [
        HarnessVariant(.every(1), .prompt, isInterleavedAnew: true),
        HarnessVariant(.random, .delayed, isInterleavedAnew: true),
        HarnessVariant(.random, .prompt, isKeyed ? .rescale : .restore, isInterleavedAnew: true),
      ]
    }
    return variants
  }

  package var description: String {
    let rows: String
    switch cut {
    case .every(let size): rows = "batches of \(size)"
    case .random: rows = "random batches"
    }
    let order = isInterleavedAnew ? ", inputs interleaved anew" : ""
    return "\(rows), watermarks \(watermarks), \(pause) at pauses\(order)\(spills ? ", spilling" : "")"
  }
}
