import Connectors
import Testing

@testable import Topology

@Suite struct EnvironmentTests {
  private let text = """
    weir: 1
    topology: ${NAME:-t}
    description: costs $${5} in ${TOWN:-Fez}
    sources:
      s: {connector: file, path: "${DIR}/in", schema: {a: string}}
    sinks: {o: {from: s, connector: blackhole}}

    """

  private func path(_ plan: LogicalPlan) -> String? {
    if case .file(let spec) = plan.sources[0].connector { return spec.path }
    return nil
  }

  @Test func variablesAndDefaultsAreFilledIn() throws {
    let plan = try load(text, environment: ["DIR": "/d", "NAME": "n", "TOWN": ""])
    #expect(plan.name == "n")
    #expect(plan.description == "costs ${5} in Fez")
    #expect(path(plan) == "/d/in")
    #expect(try load(text, environment: ["DIR": "."]).name == "t")
    #expect(try path(load(text, environment: ["DIR": "."])) == "/t/topologies/in")
  }

  @Test func aVariableWithoutValue_isNamedAtItsPlace() {
    expect(
      text: text,
      ["5:31: sources.s.path: the environment variable DIR is not set — set it, or give a default: `${DIR:-default}`"])
    expect(
      text: "weir: ${V}\ntopology: ${1x}\ndescription: ab ${A\n"
        + "sources: {s: {connector: generator}}\nsinks: {o: {from: s, connector: blackhole}}\n",
      [
        "1:7: weir: the environment variable V is not set — set it, or give a default: `${V:-default}`",
        "2:11: topology: `${1x}` names no environment variable — write `${NAME}` or `${NAME:-default}`",
        "3:17: description: has `${` without `}` — write `${NAME}` or `${NAME:-default}`, or `$${` for the characters themselves",
      ])
  }

  @Test func aValueGivenWithSet_needsNoVariable() throws {
    #expect(try path(load(text, set: ["sources.s.path=/x/${DIR}"])) == "/x/${DIR}")
  }

  @Test func theValueOfAVariable_isNeverShown() {
    let secret = "hunter2"
    let text = """
      weir: ${SECRET}
      topology: ${SECRET}!
      parallelism: ${SECRET}
      checkpoint: {interval: "${SECRET}", directory: "${SECRET}", retain: "${SECRET}"}
      state: {memory: "${SECRET}"}
      dead_letters: {connector: "${SECRET}"}
      sources:
        s:
          connector: file
          path: ${SECRET}
          format: ${SECRET}
          schema: {a: "${SECRET}", b: string, at: timestamp}
          computed: {c: "b || ${SECRET} || ${SECRET}x", d: "cast(${SECRET} as", e: "${SECRET}("}
          event_time: ${SECRET}
          rate: ${SECRET}
          on_error: ${SECRET}
      steps:
        f: {from: "${SECRET}", filter: "b = 1"}
        m: {from: ["${SECRET}", "${SECRET}"], filter: "b = 1"}
        g: {from: "s.${SECRET}", filter: "b = 1"}
        h: {from: s, aggregate: {key: ["${SECRET}"], window: {tumble: month, timezone: "${SECRET}", cycle_day: "${SECRET}"}, values: {n: "${SECRET}(b)"}}}
        i: {from: s, aggregate: {window: {hop: 1h, every: "${SECRET}"}, values: {n: "sum(${SECRET})"}}}
        j: {from: s, aggregate: {window: {tumble: "${SECRET}"}, values: {n: "sum(b) filter (where ${SECRET})"}}}
        k: {from: s, filter: "b = '${SECRET}"}
        l: {from: s, join: {with: s, on: ["${SECRET}"], between: ["${SECRET}", 1m], type: "${SECRET}"}}
      sinks: {o: {from: "${SECRET}", connector: blackhole, delivery: "${SECRET}"}}
      views: {v: {from: s, key: ["${SECRET}"], retain: "${SECRET}"}}

      """
    let found = faults(text, environment: ["SECRET": secret])
    #expect(found.count >= 20)
    for fault in found { #expect(!fault.contains(secret) && !fault.contains("unter2"), "\(fault)") }
  }
}
