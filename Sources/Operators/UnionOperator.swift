import State
import StreamModel

/// `from:` with several inputs: the rows of all of them.
///
/// Branches that split one stream in a subtask and meet here again (a filter for one kind of row, a filter for
/// another) bring the rows of one chunk in several batches. A round's rows of one chunk go out merged in the order in which
/// they were read, as if each had passed through its branch alone; a row that comes by two branches goes out twice, side
/// by side. Batches of rows that a step made have no such order and go out as they came.
///
/// Holds rows only during a round: nothing is left at `endRound`, and so at a snapshot.
package final class UnionOperator: StreamOperator {
  private var gathered: [RecordBatch] = []

  package init() {}

  package func process(_ batch: RecordBatch, input: Int, to output: any OperatorOutput) throws(OperatorError) {
    gathered.append(batch)
  }

  package func endRound(to output: any OperatorOutput) throws(OperatorError) {
    let round = gathered
    gathered.removeAll(keepingCapacity: true)
    if round.count == 1 { return output.emit(round[0]) }
    for batches in groups(round) {
      output.emit(batches.count == 1 ? batches[0] : RecordBatch.picked(inReadingOrder(batches), from: batches))
    }
  }

  /// The batches of each chunk together, in the order in which the first of them came.
  private func groups(_ round: [RecordBatch]) -> [[RecordBatch]] {
    var groups: [[RecordBatch]] = []
    var known: [ObjectIdentifier: Int] = [:]
    for batch in round {
      guard let origin = batch.origin, !origin.isMixed else {
        groups.append([batch])
        continue
      }
      if let group = known[ObjectIdentifier(origin.chunk)] {
        groups[group].append(batch)
      } else {
        known[ObjectIdentifier(origin.chunk)] = groups.count
        groups.append([batch])
      }
    }
    return groups
  }

  /// Merges the rows of batches of one chunk, each of which is in order; at a tie the batch that came first goes first.
  private func inReadingOrder(_ batches: [RecordBatch]) -> [RowPick] {
    var picks: [RowPick] = []
    picks.reserveCapacity(batches.reduce(0) { $0 + $1.count })
    var heads = [Int](repeating: 0, count: batches.count)
    var starts = batches.map { $0.origin?.start(0) ?? 0 }
    while let least = starts.min(), least < Int.max {
      for index in batches.indices where starts[index] == least {
        picks.append(RowPick(batch: Int32(index), row: Int32(heads[index])))
        heads[index] += 1
        starts[index] = heads[index] < batches[index].count ? batches[index].origin?.start(heads[index]) ?? 0 : .max
      }
    }
    return picks
  }

  package func snapshot() throws(OperatorError) -> EventTime {
    precondition(gathered.isEmpty, "a snapshot falls between rounds")
    return EventTimes.minimum
  }
}
