import Glibc
import Testing

@testable import Topology

/// Damaged topologies: whatever the bytes, loading gives a plan or faults that can be read.
///
/// `WEIR_TEST_SEED` reruns a failure; `WEIR_TEST_ROUNDS` asks for more rounds.
@Suite struct MutationTests {
  private static let seed = setting("WEIR_TEST_SEED") ?? UInt64(time(nil))
  private static let rounds = setting("WEIR_TEST_ROUNDS") ?? 400

  private static func setting(_ name: String) -> UInt64? { getenv(name).flatMap { UInt64(String(cString: $0)) } }

  /// Topologies to damage.
  private static let corpus = [
    Array(valid.utf8), Array(bundledTopology("usage-aggregation").utf8),
    Array(
      topology(
        steps: """
          r: {from: usage, select: {account_id: account_id, y: record_id}}
          j: {from: usage, join: {with: r, on: [account_id], between: [-5m, 10m], type: left}}
          l: {from: [usage], aggregate: {key: [service], window: {hop: 1h, every: 5m}, values: {n: count(*)}, emit: {early: 1s}}}
          f: {from: l, filter: "pane = 'late'"}
          c: {from: f.rejected, aggregate: {window: {tumble: month, timezone: service, cycle_day: 3}, values: {n: sum(n)}}}
          """, sinks: ["j"]
      ).utf8),
  ]

  private static let fragments = [
    "${A}", "${A:-x}", "${", "&a ", "*a", "!t ", "? ", ": ", "- ", "{", "}", "[", "]", ",", "\n", "\t", "\"", "'", "|",
    ">-",
    "#", "\u{0}", "\u{85}", "\u{2028}", "é", "😀", "\u{F0000}", "null", "~", "0", "-1h", "99999999999999999999", "usage",
    "<<", "---\n", "...\n", "%YAML 1.2\n", "\\", "(", ")", "decimal(18,3)", "month", "\r", "\r\n",
  ]

  @Test func damagedBytes_giveAPlanOrFaultsThatCanBeRead() {
    for round in 0..<Self.rounds {
      var random = Random(state: Self.seed &+ round)
      var bytes = random.element(Self.corpus)
      for _ in 0..<(1 + random.below(4)) { Self.damage(&bytes, &random) }
      let overrides = random.below(4) == 0 ? [Self.override(&random)] : []
      check(bytes, overrides, round)
    }
  }

  @Test func randomBytes_giveFaults() {
    for round in 0..<Self.rounds {
      var random = Random(state: ~Self.seed &+ round)
      let alphabet: [UInt8] = random.below(2) == 0 ? Array(" \n:-[]{},&*!|>'\"#?a1$".utf8) : Array(0...255)
      let bytes = (0..<random.below(200)).map { _ in random.element(alphabet) }
      check(bytes, [], round)
    }
  }

  private func check(_ bytes: [UInt8], _ overrides: [String], _ round: UInt64) {
    guard case .text(let text) = TopologyFile.decode(bytes) else { return }
    do throws(TopologyError) {
      let plan = try load(text, set: overrides, environment: ["A": "a"])
      #expect(
        !PlanExplainer.text(plan).isEmpty && !PlanExplainer.json(plan).isEmpty && !PlanExplainer.mermaid(plan).isEmpty)
    } catch {
      let isReadable = error.faults.allSatisfy { fault in
        !fault.message.isEmpty && !fault.mend.isEmpty && (fault.line > 0) == (fault.column > 0)
          && !fault.description.unicodeScalars.contains { $0.value < 0x20 }
      }
      #expect(
        !error.faults.isEmpty && isReadable && error.faults == error.faults.sorted(),
        "seed \(Self.seed), round \(round): \(error)")
    }
  }

  private static func damage(_ bytes: inout [UInt8], _ random: inout Random) {
    let start = random.below(bytes.count + 1)
    let end = min(bytes.count, start + 1 + random.below(12))
    switch random.below(6) {
    case 0: bytes.replaceSubrange(start..<end, with: [])
    case 1: bytes.insert(contentsOf: random.element(fragments).utf8, at: start)
    case 2: bytes.replaceSubrange(start..<end, with: random.element(fragments).utf8)
    case 3: bytes.insert(contentsOf: bytes[start..<end], at: random.below(bytes.count + 1))
    case 4: if start < bytes.count { bytes[start] = UInt8(truncatingIfNeeded: random.next()) }
    default: damageLines(&bytes, &random)
    }
  }

  /// Drops, doubles or moves a line.
  private static func damageLines(_ bytes: inout [UInt8], _ random: inout Random) {
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).map(Array.init)
    let line = lines.remove(at: random.below(lines.count))
    for _ in 0..<random.below(3) { lines.insert(line, at: random.below(lines.count + 1)) }
    bytes = Array(lines.joined(separator: [UInt8(ascii: "\n")]))
  }

  private static func override(_ random: inout Random) -> String {
    let parts = [
      "sources", "usage", "steps", "sinks", "out", "path", "connector", "0", "a", "watermark", "delay", "", "]",
    ]
    let path = (0..<(1 + random.below(4))).map { _ in random.element(parts) }.joined(separator: ".")
    return path + random.element(["=", "=x", "", "=5s", "=file"])
  }
}

/// SplitMix64: the same numbers from the same seed everywhere.
private struct Random {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(max(1, bound))) }

  mutating func element<Element>(_ elements: [Element]) -> Element { elements[below(elements.count)] }
}
