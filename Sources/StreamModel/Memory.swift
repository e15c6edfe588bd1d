#if canImport(Glibc)
  import Glibc
#endif

/// An owned, aligned, uninitialised memory area, freed with its last reference.
///
/// Invariant for `Sendable`: written only by the one builder that made it, before it is shared; read-only afterwards.
package final class Memory: @unchecked Sendable {
  package let base: UnsafeMutableRawPointer
  package let capacityBytes: Int

  /// Allocates at least `capacityBytes` bytes, aligned for sixteen-byte values.
  package init(capacityBytes: Int) {
    self.capacityBytes = max(capacityBytes, 16)
    guard let pointer = malloc(self.capacityBytes) else { fatalError("out of memory: \(capacityBytes) bytes") }
    base = pointer
  }

  deinit { free(base) }
}
