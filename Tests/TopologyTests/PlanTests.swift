import Connectors
import Operators
import StreamModel
import Testing

@testable import Topology

@Suite struct PlanTests {
  @Test func pathsAreAbsoluteAndRelativeToTheFile() throws {
    let plan = try load(valid)
    guard case .file(let source) = plan.sources[0].connector, case .file(let sink, let format) = plan.sinks[0].connector
    else {
      Issue.record("not files")
      return
    }
    #expect(source.path == "/t/data/usage")
    #expect(!source.isOnePartition)
    #expect(sink == "/t/out/t")
    #expect(format == .json)
    #expect(plan.file == "/t/topologies/t.yaml")
  }

  @Test func whatIsLeftOut_hasItsDefault() throws {
    let plan = try load(valid)
    #expect(plan.checkpoint == CheckpointSettings(directory: "/t/checkpoints"))
    #expect(plan.checkpoint.intervalMilliseconds == 10_000)
    #expect(plan.stateMemoryBytes == 256 << 20)
    #expect(plan.restart == RestartSettings())
    #expect(plan.parallelism >= 1)
    #expect(plan.sources[0].watermarkDelayMilliseconds == 0)
    #expect(plan.sources[0].idleAfterMilliseconds == nil)
    #expect(plan.sources[0].onError == .deadLetter)
    #expect(plan.sources[0].rate == nil)
    #expect(plan.sinks[0].delivery == .exactlyOnce)
    guard case .file("/t/checkpoints/t/dead-letters", .json) = plan.deadLetters.connector else {
      Issue.record("dead letters are at \(plan.deadLetters.connector)")
      return
    }
    #expect(plan.deadLetters.schema == DeadLetters.schema)
  }

  @Test func deduplicate_keepsTheColumnsAndHasItsPorts() throws {
    let step = try load(valid).steps[0]
    guard case .deduplicate(let spec) = step.operation else {
      Issue.record("not a deduplicate")
      return
    }
    #expect(spec.key == [0])
    #expect(spec.withinMilliseconds == 86_400_000)
    #expect(step.outputSchema == step.inputSchema)
    #expect(Set(step.ports.keys) == [.duplicates, .late])
  }
}
