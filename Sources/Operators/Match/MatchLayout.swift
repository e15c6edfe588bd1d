import Expressions
import StreamModel

/// How a thread is laid out: its instruction and its mark, then what it knows of each reference, at an offset of its own.
///
/// So a thread is copied as bytes and goes on in place, and a long match costs no more a row than a short one. Values are not
/// copied: a register names a row by its distance from the attempt's first row, below zero for one before it. The
/// rows stay where they are as long as the attempt goes on. Only distinct values are kept beside, as sets.
///
/// Immutable once made; the memory lives as long as the layout.
final class MatchLayout {
  static let headerBytes = 8
  static let alignment = 16

  /// By reference.
  let registers: [MatchRegister]
  let strideBytes: Int
  /// How many references count distinct values.
  let setCount: Int
  /// A thread before its first row.
  let empty: UnsafeMutableRawPointer
  let emptySets: [Set<Value>]
  /// By variable, one after another: the registers that a row of it changes.
  private let touched: UnsafeMutablePointer<MatchRegister>
  private let touchedStarts: UnsafeMutablePointer<Int>
  private let markVariable: Int32
  private let keepsFirstMark: Bool

  init(_ spec: MatchSpec) {
    var end = MatchLayout.headerBytes
    var sets = 0
    let registers = spec.references.enumerated().map { index, reference -> MatchRegister in
      let form = MatchRegister.Form(reference)
      let alignment = form == .exactSum ? 16 : form.bytes(reference) % 8 == 0 ? 8 : 4
      end = (end + alignment - 1) / alignment * alignment
      defer {
        end += form.bytes(reference)
        if form == .distinct { sets += 1 }
      }
      return MatchRegister(
        form: form, reference: Int32(index), offset: Int32(end), distance: Int32(MatchRegister.distance(reference)),
        set: Int32(sets))
    }
    self.registers = registers
    setCount = sets
    emptySets = Array(repeating: [], count: sets)
    strideBytes = (end + MatchLayout.alignment - 1) / MatchLayout.alignment * MatchLayout.alignment
    empty = .allocate(byteCount: strideBytes, alignment: MatchLayout.alignment)
    empty.initializeMemory(as: UInt8.self, repeating: 0, count: strideBytes)
    empty.storeBytes(of: -1, toByteOffset: 4, as: Int32.self)
    for register in registers where register.holdsRow {
      empty.storeBytes(of: MatchRegister.noRow, toByteOffset: Int(register.offset), as: Int32.self)
    }
    let lists = spec.pattern.variables.indices.map { variable in
      registers.filter { MatchLayout.isTouched(spec.references[Int($0.reference)], by: variable) }
    }
    touched = .allocate(capacity: max(1, lists.reduce(0) { $0 + $1.count }))
    touchedStarts = .allocate(capacity: lists.count + 1)
    touchedStarts[0] = 0
    for (variable, list) in lists.enumerated() {
      (touched + touchedStarts[variable]).initialize(from: list, count: list.count)
      touchedStarts[variable + 1] = touchedStarts[variable] + list.count
    }
    switch spec.afterMatch {
    case .toFirst(let variable): (markVariable, keepsFirstMark) = (Int32(variable), true)
    case .toLast(let variable): (markVariable, keepsFirstMark) = (Int32(variable), false)
    case .pastLastRow, .toNextRow: (markVariable, keepsFirstMark) = (-1, false)
    }
  }

  deinit {
    empty.deallocate()
    touched.deallocate()
    touchedStarts.deallocate()
  }

  private static func isTouched(_ reference: PatternReference, by variable: Int) -> Bool {
    switch reference.kind {
    case .current: false
    case .previous: reference.variable.map { $0 == variable || $0 < 0 } ?? false
    case .first, .last, .aggregate: reference.variable == nil || reference.variable == variable
    }
  }

  /// Adds the row at `place` of `rows` to `thread`, as one of `variable`.
  @inline(__always) func extend(
    _ thread: UnsafeMutableRawPointer, _ sets: inout [Set<Value>], by variable: Int, at place: Int, of rows: MatchRows
  ) {
    for index in touchedStarts[variable]..<touchedStarts[variable + 1] {
      let register = touched[index]
      if register.form == .distinct {
        register.note(&sets, place, rows)
      } else {
        register.add(to: thread + Int(register.offset), place, rows)
      }
    }
    guard Int32(truncatingIfNeeded: variable) == markVariable else { return }
    if !keepsFirstMark || MatchThread(thread).mark < 0 {
      MatchThread(thread).mark = Int32(truncatingIfNeeded: place - rows.start)
    }
  }
}

/// A thread in memory: one way in which the rows since an attempt's first have been matched so far.
struct MatchThread {
  let base: UnsafeMutableRawPointer

  @inline(__always) init(_ base: UnsafeMutableRawPointer) { self.base = base }

  /// The instruction it stands at: one that takes a row.
  @inline(__always) var position: Int32 {
    get { base.load(as: Int32.self) }
    nonmutating set { base.storeBytes(of: newValue, as: Int32.self) }
  }

  /// Where the row that the search goes on at stands among the attempt's rows; −1 where there is none.
  @inline(__always) var mark: Int32 {
    get { base.load(fromByteOffset: 4, as: Int32.self) }
    nonmutating set { base.storeBytes(of: newValue, toByteOffset: 4, as: Int32.self) }
  }
}

/// Threads side by side, in the order of preference. One owner.
final class MatchThreads {
  private(set) var count = 0
  private var base: UnsafeMutableRawPointer
  private var capacity: Int
  private let strideBytes: Int
  /// Distinct values by thread; empty where no reference counts them.
  private(set) var sets: [[Set<Value>]] = []
  private let setCount: Int

  init(_ layout: MatchLayout, capacity: Int = 2) {
    strideBytes = layout.strideBytes
    setCount = layout.setCount
    self.capacity = capacity
    base = .allocate(byteCount: capacity * strideBytes, alignment: MatchLayout.alignment)
  }

  deinit { base.deallocate() }

  @inline(__always) subscript(index: Int) -> UnsafeMutableRawPointer { base + index &* strideBytes }

  @inline(__always) func sets(_ index: Int) -> [Set<Value>] { setCount == 0 ? [] : sets[index] }

  /// Adds a copy of `thread`, and returns it.
  @inline(__always) func append(
    _ thread: UnsafeMutableRawPointer, _ threadSets: [Set<Value>]
  ) -> UnsafeMutableRawPointer {
    if count == capacity { grow() }
    let copy = base + count &* strideBytes
    copy.copyMemory(from: thread, byteCount: strideBytes)
    if setCount > 0 { sets.append(threadSets) }
    count &+= 1
    return copy
  }

  private func grow() {
    let larger = UnsafeMutableRawPointer.allocate(
      byteCount: capacity * 2 * strideBytes, alignment: MatchLayout.alignment)
    larger.copyMemory(from: base, byteCount: count * strideBytes)
    base.deallocate()
    base = larger
    capacity *= 2
  }

  /// Puts back the sets of a thread that was worked on outside.
  func setSets(_ threadSets: [Set<Value>], of index: Int) { if setCount > 0 { sets[index] = threadSets } }

  @inline(__always) func removeAll() {
    count = 0
    if setCount > 0 { sets.removeAll(keepingCapacity: true) }
  }
}
