#if canImport(Glibc)
  import Glibc
#endif

/// An owned, aligned, uninitialised memory area, freed with its last reference.
///
/// Invariant for `Sendable`: written only by the one builder that made it, before it is shared; read-only afterwards.
package final class Memory: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let capacityBytes: Int

  /// So many bytes behind the last one may be touched, and hold nothing: short texts are copied sixteen bytes at a time, which
  /// spares a branch on their length. All bytes of view columns lie in such an area.
  package static let slackBytes = 16

  /// Allocates at least `capacityBytes` bytes, aligned for sixteen-byte values.
  package init(capacityBytes: Int) {
    self.capacityBytes = max(capacityBytes, 16)
    guard let pointer = malloc(self.capacityBytes + Memory.slackBytes) else {
      fatalError("out of memory: \(capacityBytes) bytes")
    }
    base = pointer
  }

  /// Allocates `zeroedBytes` bytes that are all 0. What is only read of a large area takes no memory.
  package init(zeroedBytes: Int) {
    capacityBytes = max(zeroedBytes, 16)
    guard let pointer = calloc(1, capacityBytes + Memory.slackBytes) else {
      fatalError("out of memory: \(zeroedBytes) bytes")
    }
    base = pointer
  }

  deinit { free(base) }
}

/// Copies `length` bytes, and perhaps up to `Memory.slackBytes` more behind them: for texts laid down one after another.
@inline(__always) package func copyLoosely(
  _ source: UnsafeRawPointer, to target: UnsafeMutableRawPointer, _ length: Int
) {
  if length <= Memory.slackBytes {
    target.storeBytes(of: source.loadUnaligned(as: SIMD16<UInt8>.self), as: SIMD16<UInt8>.self)
  } else {
    memcpy(target, source, length)
  }
}
