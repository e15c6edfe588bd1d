import CGlibc

/// How the process keeps its memory.
///
/// Chunks and batches are allocated and freed thousands of times a second, by different threads. By default glibc gives areas of
/// that size back to the system as they are freed, and every page of the next one is faulted in and zeroed again: an eighth of
/// the time of a run (docs/decisions/0003).
enum ProcessMemory {
  /// Areas below this come out of heaps that stay with the process; glibc allows no more.
  private static let mappedBytes: Int32 = 32 << 20
  /// The most that a heap keeps free at its end.
  private static let keptBytes: Int32 = 64 << 20

  /// Before other threads are started.
  static func configure() {
    mallopt(M_MMAP_THRESHOLD, mappedBytes)
    mallopt(M_TRIM_THRESHOLD, keptBytes)
  }
}
