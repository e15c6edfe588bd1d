#if canImport(Glibc)
  import Glibc
#endif

/// Memory that grows: large blocks by having their pages mapped elsewhere rather than copied.
enum GrowingMemory {
  /// `memory`, or new memory, with room for `bytes`; what was in it stays, what is new is undefined. Freed with `free`.
  static func resized(_ memory: UnsafeMutableRawPointer?, to bytes: Int) -> UnsafeMutableRawPointer {
    guard let resized = realloc(memory, max(1, bytes)) else { fatalError("out of memory: \(bytes) bytes of state") }
    return resized
  }

  /// New memory for `capacity` elements that has the first `count` of `memory`, which is freed.
  static func moved<Element: BitwiseCopyable>(
    _ memory: UnsafeMutablePointer<Element>, count: Int, capacity: Int
  ) -> UnsafeMutablePointer<Element> {
    let larger = UnsafeMutablePointer<Element>.allocate(capacity: capacity)
    larger.update(from: memory, count: count)
    memory.deallocate()
    return larger
  }
}
