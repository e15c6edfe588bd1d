import StreamModel

extension SessionAggregate {
  func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    self.watermark = watermark.time
    if saved.hasSpilled {
      // A key group at a time: what is due may be more than memory holds.
      for group in saved.groups(dueAt: watermark.time) {
        try loadDue(group)
        closeDue(to: output)
      }
    }
    closeDue(to: output)
    if watermark == .maximum { keyedState?.deleteAll(prefix: SessionAggregate.bounds) }
  }

  /// Reports the sessions in memory that close at the watermark, and lets go of those that have gone.
  private func closeDue(to output: any OperatorOutput) {
    var closed: [Int32] = []
    var gone: [Int32] = []
    for index in sessions.takeDue(watermark) {
      let session = sessions[index]
      saved.dirty.mark(session.key)
      if session.end > watermark {
        sessions.arm(index, at: session.end)
        continue
      }
      if session.flags.contains(.changed) { closed.append(index) }
      if session.end + lateness <= watermark {
        gone.append(index)
      } else {
        sessions.arm(index, at: session.end + lateness)
      }
    }
    if !closed.isEmpty { report(sorted(closed), to: output) }
    results.flush(to: output)
    for index in gone { release(index) }
  }

  /// A session's result happened a millisecond before the watermark that closes it.
  func outputWatermark(for input: Watermark) -> Watermark {
    input == .maximum || input == .minimum ? input : Watermark(input.time - 1)
  }

  /// By end, then first row.
  private func sorted(_ indices: [Int32]) -> [Int32] {
    let ranks = indices.map { (end: sessions[$0].end, sequence: sessions[$0].sequence, index: $0) }
    return ranks.sorted { ($0.end, $0.sequence) < ($1.end, $1.sequence) }.map(\.index)
  }

  /// Gives the results of closed sessions: `on_time`, or `late` where that has been given.
  func report(_ indices: [Int32], to output: any OperatorOutput) {
    let late = indices.filter { sessions[$0].flags.contains(.closed) }
    if late.isEmpty {
      give(indices, .onTime, to: output)
    } else {
      for index in indices { give([index], sessions[index].flags.contains(.closed) ? .late : .onTime, to: output) }
    }
    for index in indices {
      sessions[index].flags.insert(.closed)
      sessions[index].flags.remove(.changed)
      saved.dirty.mark(sessions[index].key)
    }
  }

  private func give(_ indices: [Int32], _ label: PaneLabel, to output: any OperatorOutput) {
    let keySlots = indices.map { sessions[$0].key }
    let windows = indices.map { (start: sessions[$0].start, end: sessions[$0].end) }
    let stamps = label == .late ? indices.map { stamp(of: $0) } : nil
    indices.withUnsafeBufferPointer { slots in
      keySlots.withUnsafeBufferPointer { keySlots in
        results.add(
          AggregateResults.Groups(table: keys, keySlots: keySlots, accumulators: accumulators, slots: slots),
          .windows(windows), label, stamps: stamps, to: output)
      }
    }
  }

  /// Gives the results that late rows of a batch have changed in sessions that have closed.
  func giveLateResults(to output: any OperatorOutput) {
    var changed: Set<Int32> = []
    for reference in lateChanged where sessions.holds(reference) {
      let session = sessions[reference.index]
      if session.end <= watermark, session.flags.contains(.changed) { changed.insert(reference.index) }
    }
    lateChanged.removeAll(keepingCapacity: true)
    if !changed.isEmpty { report(sorted(Array(changed)), to: output) }
    results.flush(to: output)
  }

  var nextTimer: Int64? { timer?.due(hasChanges: !owingEarly.isEmpty) ?? nil }

  func onTimer(_ now: Int64, output: any OperatorOutput) throws(OperatorError) {
    guard timer?.fires(at: now) ?? false else { return }
    let open = owingEarly.filter { sessions.holds($0) }.map(\.index)
    for index in open {
      sessions[index].flags.remove(.owesEarly)
      saved.dirty.mark(sessions[index].key)
    }
    owingEarly.removeAll(keepingCapacity: true)
    give(sorted(open.filter { sessions[$0].end > watermark }), .early, to: output)
    results.flush(to: output)
  }
}
