import StreamModel

extension WindowAggregate {
  /// The watermark at which something happens to the pane `key`: a window of it closes, or all have gone.
  func due(_ key: PaneKey) -> EventTime {
    let end = assigner.firstEnd(of: key, atLeast: firstOpenEnd)
    return end <= key.lastEnd ? end - 1 : key.lastEnd - 1 + lateness
  }

  /// The least end of a window that has not closed.
  private var firstOpenEnd: EventTime { watermark > EventTimes.maximum - 2 ? EventTimes.maximum : watermark + 2 }

  func advance(to watermark: Watermark, output: any OperatorOutput) throws(OperatorError) {
    guard watermark.time >= nextDue else {
      self.watermark = watermark.time
      return
    }
    if watermark == .maximum { keyedState?.deleteAll(prefix: [WindowAggregate.boundsTable]) }
    let closing = windows(by: watermark.time) { assigner.firstEnd(of: $0.key, atLeast: firstOpenEnd) }
    self.watermark = watermark.time
    for window in closing {
      if spec.window.cumulates, lateness == 0 { combine(by: window) }
      try close(window, to: output)
      if spec.window.cumulates, lateness > 0 { combine(by: window) }
    }
    results.flush(to: output)
    dropPanes()
  }

  /// The windows of all panes, from the end that `first` gives for each on, that close by `watermark`; in order.
  private func windows(by watermark: EventTime, from first: (WindowPane) -> EventTime) -> [WindowBounds] {
    var windows: Set<WindowBounds> = []
    for pane in panes {
      var end = first(pane)
      while end <= pane.key.lastEnd, end - 1 <= watermark {
        windows.insert(WindowBounds(end: end, start: assigner.start(ofWindowEndingAt: end, in: pane.key)))
        end = assigner.end(after: end, in: pane.key)
      }
    }
    return windows.sorted()
  }

  /// The panes that `window` is made of, in the order of their keys: in whatever order they came to be, their sums of
  /// doubles are added in the same one.
  func members(_ window: WindowBounds) -> [WindowPane] {
    panes.filter {
      $0.contains(window.end) && assigner.start(ofWindowEndingAt: window.end, in: $0.key) == window.start
    }.sorted { $0.key < $1.key }
  }

  /// Gives the results of `window`: what came in time, and what late rows have made of it already.
  private func close(_ window: WindowBounds, to output: any OperatorOutput) throws(OperatorError) {
    let members = members(window)
    let inTime = members.filter { $0.isOnTime(for: window.end) }
    if inTime.contains(where: \.hasSpilled) {
      try sweep(window, inTime, to: output)
    } else {
      try give(window, inTime, keysOf: inTime, .onTime, to: output) { $0.store.allSlots }
    }
    guard inTime.count < members.count else { return }
    let late = members.filter { !$0.isOnTime(for: window.end) }
    for pane in late where pane.hasSpilled { try loadAll(pane) }
    try give(window, members, keysOf: late, .late, to: output) { $0.store.allSlots }
  }

  /// Gives results of `window`, which is made of `members`, for the groups that `slots` chooses of `chosen`.
  private func give(
    _ window: WindowBounds, _ members: [WindowPane], keysOf chosen: [WindowPane], _ label: PaneLabel,
    to output: any OperatorOutput, _ slots: (WindowPane) -> [Int32]
  ) throws(OperatorError) {
    let bounds = AggregateResults.Bounds.window(start: window.start, end: window.end)
    if members.count == 1, chosen.count == 1 {
      let slots = slots(chosen[0])
      let stamps = label == .late ? slots.map { chosen[0].stamp(of: $0) } : nil
      return results.add(chosen[0].store, slots, bounds, label, stamps: stamps, to: output)
    }
    let isWhole = label == .onTime
    let union = isWhole ? union(members) : try union(members, keysOf: chosen, slots)
    let stamps = label == .late ? lateStamps(union, members.filter { !$0.isOnTime(for: window.end) }) : nil
    results.add(union, union.allSlots, bounds, label, stamps: stamps, to: output)
  }

  /// All groups of `members`, combined.
  private func union(_ members: [WindowPane]) -> GroupStore {
    let union = GroupStore(plan)
    union.reserve(members.map(\.store.count).max() ?? 0)
    for pane in members { union.merge(pane.store) }
    return union
  }

  /// The groups that `slots` chooses of `chosen`, combined over all `members`.
  private func union(
    _ members: [WindowPane], keysOf chosen: [WindowPane], _ slots: (WindowPane) -> [Int32]
  ) throws(OperatorError) -> GroupStore {
    let union = GroupStore(plan)
    for pane in chosen {
      for slot in slots(pane) {
        let key = pane.store.table.key(slot)
        _ = union.insert(key, hash: KeyEncoder.hash(key))
      }
    }
    for pane in members where pane.hasSpilled { try load(keysOf: union.table, into: pane) }
    for pane in members { union.mergeHeld(from: pane.store) }
    return union
  }

  private func lateStamps(_ union: GroupStore, _ late: [WindowPane]) -> [EventTime] {
    union.allSlots.map { slot in
      let key = union.table.key(slot)
      return late.map { $0.stamp(of: key, hash: KeyEncoder.hash(key)) }.max() ?? EventTimes.minimum
    }
  }

  /// Gives the results that late rows of a batch have changed in windows that have closed.
  func giveLateResults(to output: any OperatorOutput) throws(OperatorError) {
    guard lateness > 0 else { return }
    let changed = panes.filter { !$0.lateChanged.isEmpty }
    if changed.isEmpty { return }
    var windows: Set<WindowBounds> = []
    for pane in changed {
      var end = pane.key.firstEnd
      while end < pane.key.onTimeEnd, end - 1 <= watermark {
        windows.insert(WindowBounds(end: end, start: assigner.start(ofWindowEndingAt: end, in: pane.key)))
        end = assigner.end(after: end, in: pane.key)
      }
    }
    for window in windows.sorted() {
      let members = members(window)
      let late = members.filter { !$0.isOnTime(for: window.end) && !$0.lateChanged.isEmpty }
      try give(window, members, keysOf: late, .late, to: output) { $0.lateChanged.slots }
    }
    for pane in changed { pane.lateChanged.removeAll() }
    results.flush(to: output)
  }

  var nextTimer: Int64? { timer?.due(hasChanges: panes.contains { !$0.changed.isEmpty }) ?? nil }

  func onTimer(_ now: Int64, output: any OperatorOutput) throws(OperatorError) {
    guard timer?.fires(at: now) ?? false else { return }
    let changed = panes.filter { !$0.changed.isEmpty }
    let open = windows(by: EventTimes.maximum) {
      $0.changed.isEmpty ? EventTimes.maximum : assigner.firstEnd(of: $0.key, atLeast: firstOpenEnd)
    }
    for window in open {
      let members = members(window)
      try give(window, members, keysOf: members.filter { !$0.changed.isEmpty }, .early, to: output) { $0.changed.slots }
    }
    for pane in changed {
      for slot in pane.changed.slots { pane.dirty.mark(slot) }
      pane.changed.removeAll()
    }
    results.flush(to: output)
  }

  /// Drops panes whose windows have all gone.
  private func dropPanes() {
    let before = panes.count
    let isGone = { [lateness, watermark] (pane: WindowPane) in pane.key.lastEnd - 1 + lateness <= watermark }
    for pane in panes where isGone(pane) { forget(pane) }
    panes.removeAll(where: isGone)
    if panes.count < before { renumber(combined: isCombined) }
    nextDue = panes.map { due($0.key) }.min() ?? EventTimes.maximum
  }

  /// Whether every window that is still here contains the pane's rows, all in time: no row goes to it any more.
  private func isCombined(_ pane: WindowPane) -> Bool { spec.window.cumulates && hasPassed(pane, watermark) }

  private func hasPassed(_ pane: WindowPane, _ watermark: EventTime) -> Bool {
    pane.key.firstEnd - 1 + lateness <= watermark && pane.key.onTimeEnd - 1 <= watermark
  }

  /// Combines the panes of `window`'s period that it and every later window contain into the first of them.
  private func combine(by window: WindowBounds) {
    let passed = panes.filter { $0.key.start == window.start && !$0.hasSpilled && hasPassed($0, window.end - 1) }
      .sorted { $0.key < $1.key }
    guard passed.count > 1, let target = passed.first else { return }
    for pane in passed.dropFirst() {
      let slots = target.store.merge(pane.store)
      for slot in pane.changed.slots { target.changed.mark(slots[Int(slot)]) }
      for slot in pane.store.allSlots { target.dirty.mark(slots[Int(slot)]) }
      forget(pane)
    }
    panes.removeAll { pane in pane !== target && passed.contains { $0 === pane } }
    renumber(combined: isCombined)
  }
}

extension WindowSpec {
  /// Whether each window contains the one before it.
  var cumulates: Bool { if case .cumulate = self { true } else { false } }
}
