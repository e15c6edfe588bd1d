import StreamModel

/// Makes scripts as sources make streams: partitions with watermarks of their own, rows out of order and sometimes behind.
///
/// After each row its partition's watermark is its highest event time so far − `delay` − 1; the operator's watermark is
/// the minimum over all partitions of all inputs. A row behind its own partition's watermark is stamped with it.
package struct PartitionedScript: Sendable {
  package let inputs: [Schema]
  /// Partitions of each input.
  package var partitions = 2
  package var rows = 300
  /// Event time between rows of a partition, on average.
  package var step: Int64 = 10
  /// How far a row may come before the highest event time of its partition: behind where it exceeds `delay`.
  package var disorder: Int64 = 0
  package var delay: Int64 = 0
  /// The share of rows out of order.
  package var disorderShare = 0.3
  /// Event time at which partitions start.
  package var start: EventTime = 1000
  /// How far a partition may run ahead of the slowest, in event time.
  package var lead: Int64 = 200
  /// Whether rows carry their place.
  package var hasPlaces = false

  package init(_ inputs: [Schema]) { self.inputs = inputs }

  private struct Partition {
    let input: Int
    let name: String
    var highest: EventTime
    var watermark = EventTimes.minimum
    var position: Int64 = 0
  }

  /// A script whose rows have the values that `values` gives for an input, a partition and an event time.
  package func make(
    _ random: inout SeededRandom,
    values: (_ random: inout SeededRandom, _ input: Int, _ partition: Int, EventTime) -> [Value]
  ) -> OperatorScript {
    var script = OperatorScript(inputs)
    var all = inputs.indices.flatMap { input in
      (0..<partitions).map { Partition(input: input, name: "\(input)-\($0)", highest: start) }
    }
    var watermark = EventTimes.minimum
    for _ in 0..<rows {
      let index = next(all, &random)
      let input = all[index].input
      let row = step(&all[index], &random) { random, time in values(&random, input, index % partitions, time) }
      script.row(at: row.eventTime, stamp: row.stamp, input: input, place: row.place, row.values)
      let reached = all.map(\.watermark).min() ?? EventTimes.minimum
      if reached > watermark {
        watermark = reached
        script.watermark(reached)
      }
    }
    return script
  }

  /// Any partition that is not too far ahead.
  private func next(_ all: [Partition], _ random: inout SeededRandom) -> Int {
    let slowest = all.map(\.highest).min() ?? start
    return all.indices.filter { all[$0].highest - slowest <= lead }.randomElement(using: &random) ?? 0
  }

  private func step(
    _ partition: inout Partition, _ random: inout SeededRandom, _ values: (inout SeededRandom, EventTime) -> [Value]
  ) -> TestRow {
    let isDisordered = disorder > 0 && random.chance(disorderShare)
    let time =
      isDisordered
      ? partition.highest - random.int(1...disorder) : partition.highest + random.int(0...2 * step)
    let stamp = partition.watermark
    let row = TestRow(
      at: time, stamp: stamp >= time ? stamp : nil,
      place: hasPlaces ? TestRow.Place(partition.name, partition.position) : nil, values(&random, time))
    partition.position += 1
    partition.highest = max(partition.highest, time)
    partition.watermark = max(partition.watermark, partition.highest - delay - 1)
    return row
  }
}
