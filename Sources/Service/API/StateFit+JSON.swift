import Runtime
import Topology

extension StateFit {
  /// The report of compatibility, as `weir plan --json` has it.
  var json: JSONText {
    .object([
      ("checkpoint", .integer(checkpoint)), ("compatible", .flag(isCompatible)),
      (
        "items",
        .array(
          items.map { item in
            let (verdict, reasons) = StateFit.words(item.verdict)
            return .object([
              ("kind", .string(item.kind.rawValue)), ("name", .string(item.name)), ("verdict", .string(verdict)),
              ("reasons", .array(reasons.map { .string($0) })),
            ])
          })
      ),
    ])
  }

  private static func words(_ verdict: Verdict) -> (String, [String]) {
    switch verdict {
    case .carriesOver: ("carries_over", [])
    case .stateless: ("stateless", [])
    case .new: ("new", [])
    case .incompatible(let reasons): ("incompatible", reasons)
    case .dropped(let reasons): ("dropped", reasons)
    }
  }
}
