import Operators

/// Checks the `cache:` of a lookup.
struct CacheChecker {
  let item: Item

  private static let keys = ["max_rows", "expire_after_write", "expire_after_access", "serve_stale", "cache_missing"]

  /// Nil, with a fault, where it is faulty.
  func check() -> CachePolicy? {
    guard let section = item.section(CacheChecker.keys, expected: "{max_rows: 10000, expire_after_write: 60s}") else {
      return nil
    }
    var cache = CachePolicy()
    var isFaulty = false
    if let item = section["max_rows"] {
      if let rows = item.integer(in: 1...100_000_000) { cache.maxRows = Int(rows) } else { isFaulty = true }
    }
    for (key, path) in [
      ("expire_after_write", \CachePolicy.expireAfterWriteMilliseconds),
      ("expire_after_access", \CachePolicy.expireAfterAccessMilliseconds),
      ("serve_stale", \CachePolicy.serveStaleMilliseconds),
    ] {
      guard let item = section[key] else { continue }
      if let milliseconds = item.duration(atLeast: 1) { cache[keyPath: path] = milliseconds } else { isFaulty = true }
    }
    if let item = section["cache_missing"] {
      if let flag = item.flag() { cache.cachesMissing = flag } else { isFaulty = true }
    }
    if let item = section["serve_stale"], section["expire_after_write"] == nil {
      item.keyFault("nothing becomes stale", "say when: expire_after_write: 60s")
      isFaulty = true
    }
    return isFaulty ? nil : cache
  }
}
