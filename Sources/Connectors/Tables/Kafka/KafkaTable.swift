import Formats
import KafkaClient
import Operators
import StreamModel
import Synchronization

/// `connector: kafka` as a table: a compacted topic.
package struct KafkaTableSpec: Sendable {
  package let cluster: KafkaConfiguration
  package let topic: String
  /// json or avro.
  package let format: Format

  package init(cluster: KafkaConfiguration, topic: String, format: Format) {
    self.cluster = cluster
    self.topic = topic
    self.format = format
  }
}

/// A table in a compacted topic, held in memory whole: of each record key the newest record, a record without a value takes it away.
///
/// It is read to its end before the job begins; after that a thread of its own follows the topic. What has changed is taken about
/// once a second, whole or not at all: a record that does not decode, two rows for one key or versions that overlap leave the table
/// as it was, and a notice says so, until a later record mends it. Only committed records are read, and no offset is kept: every
/// start reads the topic anew.
final class KafkaTable: LookupTable {
  let counters = LookupCounters()
  let workerCount = 1
  private let spec: KafkaTableSpec
  private let place: String
  private let notice: @Sendable (String) -> Void
  private let current: Guarded<LookupIndex>
  private let isClosed = Atomic<Bool>(false)
  private let follower: KafkaTableFollower

  /// How long changes are gathered before the table is made anew.
  static let gatherNanoseconds: Int64 = 1_000_000_000
  private static let pollMilliseconds: Int32 = 100

  /// Reads the topic to its end.
  init(
    _ spec: KafkaTableSpec, place: String, layout: TableLayout, notice: @escaping @Sendable (String) -> Void
  ) throws(ConnectorError) {
    self.spec = spec
    self.place = place
    self.notice = notice
    follower = try KafkaTableFollower(spec, place: place, layout: layout)
    try follower.readToEnd()
    current = Guarded(try follower.index())
  }

  func find(_ keys: LookupKeys) throws(OperatorError) -> LookupResult {
    let index = current.withLock { $0 }
    counters.hits.add(keys.count)
    return LookupResult(rows: index.rows, slots: index.slots(of: keys))
  }

  func close() { isClosed.store(true, ordering: .relaxed) }

  // MARK: Following

  func work() {
    var changedAt: Int64?
    var trouble: String?
    while !isClosed.load(ordering: .relaxed) {
      do throws(ConnectorError) {
        if try follower.poll(milliseconds: KafkaTable.pollMilliseconds) {
          changedAt = changedAt ?? Clock.monotonicNanoseconds()
          trouble = nil
        }
      } catch {
        // Said once, however often the client meets it.
        if trouble != error.description { notice("\(error): the table stays as it was") }
        trouble = error.description
      }
      if let since = changedAt, Clock.monotonicNanoseconds() - since >= KafkaTable.gatherNanoseconds {
        changedAt = nil
        reload()
      }
    }
  }

  private func reload() {
    do throws(ConnectorError) {
      let index = try follower.index()
      current.withLock { $0 = index }
      counters.reloads.add(1)
    } catch {
      counters.refusedReloads.add(1)
      notice("\(error): the table stays as it was")
    }
  }
}
