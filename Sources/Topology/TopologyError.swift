/// One thing wrong with a topology: where it is written, what it is, and how to mend it.
package struct Fault: Hashable, Sendable {
  /// The topology file as the caller named it, or `--set` for a value from the command line.
  package let file: String
  /// From 1; 0 for a value from the command line.
  package let line: Int
  /// In characters, from 1; 0 for a value from the command line.
  package let column: Int
  /// What the fault is about, as `steps.hourly.aggregate.window.every`; empty for the document as a whole.
  package let path: String
  package let message: String
  package let mend: String

  package init(file: String, line: Int, column: Int, path: String, message: String, mend: String) {
    self.file = file
    self.line = line
    self.column = column
    self.path = path
    self.message = message
    self.mend = mend
  }
}

extension Fault: CustomStringConvertible {
  /// `file:line:column: path: what is wrong — how to mend it`, on one line.
  package var description: String {
    let place = line > 0 ? "\(file):\(line):\(column)" : file
    let subject = path.isEmpty ? "" : "\(path): "
    return "\(place): \(subject)\(message) — \(mend)"
  }
}

extension Fault: Comparable {
  /// By file and place; what came from the command line goes last.
  package static func < (left: Fault, right: Fault) -> Bool {
    func place(_ fault: Fault) -> (Int, String, Int, Int) {
      (fault.line > 0 ? 0 : 1, fault.file, fault.line, fault.column)
    }
    if place(left) != place(right) { return place(left) < place(right) }
    return (left.path, left.message, left.mend) < (right.path, right.message, right.mend)
  }
}

/// Everything that is wrong with a topology, found in one pass: the user's to mend; nothing was started.
package struct TopologyError: Error, Equatable, Sendable, CustomStringConvertible {
  /// Sorted by place; not empty.
  package let faults: [Fault]

  package init(faults: [Fault]) { self.faults = faults }

  /// One fault a line.
  package var description: String { faults.map(\.description).joined(separator: "\n") }
}

/// Gathers the faults of one document while it is read and checked.
final class FaultCollector {
  let source: SourceText
  /// The file as the caller named it.
  let file: String
  private var found: Set<Fault> = []

  init(file: String, source: SourceText) {
    self.file = file
    self.source = source
  }

  var isEmpty: Bool { found.isEmpty }

  /// All faults so far, by place.
  var faults: [Fault] { found.sorted() }

  /// Adds the faults of another document that this one names.
  func add(_ other: FaultCollector) { found.formUnion(other.found) }

  func report(_ place: Place, _ path: String, _ message: String, _ mend: String) {
    let isInFile = place.origin == .file
    found.insert(
      Fault(
        file: isInFile ? file : "--set", line: isInFile ? place.line : 0, column: isInFile ? place.column : 0,
        path: Shown.text(path), message: Shown.text(message, longest: 2000), mend: Shown.text(mend, longest: 2000)))
  }
}
