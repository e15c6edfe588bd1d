import KafkaClient

/// Settles at which offsets partitions are begun.
struct KafkaStart {
  let spec: KafkaSourceSpec
  let consumer: KafkaConsumer
  /// The source in messages.
  let place: String

  enum Failure: Error {
    case kafka(KafkaError)
    /// Records between a position and what is there are gone.
    case lost(ConnectorError)
  }

  private static let timeout = KafkaSourceReader.startTimeoutMilliseconds

  /// Gives every partition in `range` its offset, and where the source is bounded its end.
  func settle(_ slots: inout [KafkaSourceReader.Slot], _ range: Range<Int>) throws(Failure) {
    let begun = slots[range].indices.filter { slots[$0].fetched == nil }
    let starts = try self.starts(of: begun.map { slots[$0].place })
    for (slot, start) in zip(begun, starts) {
      slots[slot].fetched = start
      if case .timestamp(let time) = spec.start { slots[slot].notBefore = time } else { slots[slot].handedOut = start }
    }
    for slot in range {
      let bounds: (first: Int64, end: Int64)
      do {
        bounds = try consumer.bounds(of: slots[slot].place, timeoutMilliseconds: KafkaStart.timeout)
      } catch { throw .kafka(error) }
      let offset = slots[slot].fetched ?? bounds.first
      let end = offset > bounds.end ? try fetchedEnd(slots[slot].place, from: bounds.end) : bounds.end
      if offset < bounds.first || offset > end {
        throw .lost(KafkaStart.outOfRange(slots[slot].place, at: offset, (bounds.first, end), place: place))
      }
      if spec.isBounded { slots[slot].stop = end }
    }
  }

  /// The end of a log as a fetch finds it. Not every broker counts the records of the last batch when it is asked for the
  /// end; that would look like a log that was shortened.
  private func fetchedEnd(_ place: TopicPartition, from offset: Int64) throws(Failure) -> Int64 {
    do {
      try consumer.assign([PartitionOffset(place, offset: offset)])
      var end: Int64?
      let deadline = KafkaSourceReader.now() + Int64(KafkaStart.timeout)
      while end == nil, KafkaSourceReader.now() < deadline {
        let messages = consumer.poll(1000, milliseconds: 100)
        for index in 0..<messages.count {
          if case .end = messages[index].kind { end = messages[index].offset }
        }
      }
      try consumer.unassign([place])
      return end ?? offset
    } catch {
      throw .kafka(error)
    }
  }

  private func starts(of places: [TopicPartition]) throws(Failure) -> [Int64] {
    var chosen: [Int64?] = places.map { _ in nil }
    do {
      switch spec.start {
      case .earliest, .latest: break
      case .committed where places.isEmpty: break
      case .committed: chosen = try consumer.committed(places, timeoutMilliseconds: KafkaStart.timeout)
      case .timestamp where places.isEmpty: break
      case .timestamp(let time):
        chosen = try consumer.offsets(at: time, of: places, timeoutMilliseconds: KafkaStart.timeout)
      }
    } catch {
      throw .kafka(error)
    }
    var starts: [Int64] = []
    for (place, offset) in zip(places, chosen) {
      if let offset { starts.append(offset) } else { starts.append(try edge(of: place)) }
    }
    return starts
  }

  /// Where a partition is begun of which nothing else says it.
  private func edge(of place: TopicPartition) throws(Failure) -> Int64 {
    let bounds: (first: Int64, end: Int64)
    do {
      bounds = try consumer.bounds(of: place, timeoutMilliseconds: KafkaStart.timeout)
    } catch {
      throw .kafka(error)
    }
    switch spec.start {
    case .earliest, .committed: return bounds.first
    case .latest, .timestamp: return try fetchedEnd(place, from: bounds.end)
    }
  }

  /// The error of a position that the log does not hold: which records are missing, and the ways out.
  static func outOfRange(
    _ partition: TopicPartition, at offset: Int64, _ bounds: (first: Int64, end: Int64)?, place: String
  ) -> ConnectorError {
    let waysOut =
      "restore them, or accept that: start the job anew (--from none) with `start: earliest`, or from a checkpoint that fits"
    guard let bounds else {
      return ConnectorError("\(place): \(partition): offset \(offset) is not in the log any more — \(waysOut)")
    }
    if offset < bounds.first {
      return ConnectorError(
        "\(place): \(partition): the log begins at offset \(bounds.first) and was read up to \(offset) only: \(bounds.first - offset) records were deleted unread (retention) — \(waysOut)"
      )
    }
    return ConnectorError(
      "\(place): \(partition): the log ends at offset \(bounds.end) and was read up to \(offset) already: it was shortened, or the topic made anew — \(waysOut)"
    )
  }
}

extension ConnectorError {
  /// An error of a cluster, with its mend.
  package static func kafka(_ error: KafkaError, place: String, bootstrap: String) -> ConnectorError {
    let mend: String
    switch error.name {
    case "_TRANSPORT", "_ALL_BROKERS_DOWN", "_TIMED_OUT", "_RESOLVE":
      mend = "start the broker, or correct `bootstrap:` (\(bootstrap))"
    case "_SSL", "_AUTHENTICATION", "SASL_AUTHENTICATION_FAILED", "UNSUPPORTED_SASL_MECHANISM":
      mend = "check security.protocol, sasl.* and ssl.* under `properties:`, and the variables they name"
    case "TOPIC_AUTHORIZATION_FAILED", "GROUP_AUTHORIZATION_FAILED", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED",
      "CLUSTER_AUTHORIZATION_FAILED":
      mend = "give this user the permission at the broker"
    case "UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC": mend = "create the topic, or correct its name"
    case "INVALID_TRANSACTION_TIMEOUT":
      mend =
        "raise transaction.max.timeout.ms at the broker, or lower checkpoint.timeout, checkpoint.interval or transaction_timeout"
    case "MSG_SIZE_TOO_LARGE": mend = "raise message.max.bytes at the broker and under `properties:`"
    default:
      mend = error.isRetriable ? "it may pass; the job can go on from its last checkpoint" : "see the broker's log"
    }
    return ConnectorError("\(place): \(error) — \(mend)", isRetriable: error.remedy != .correct)
  }
}
