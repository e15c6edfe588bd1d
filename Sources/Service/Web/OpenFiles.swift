import Glibc

/// The system's bound on the files that this process may have open: every client is one.
enum OpenFiles {
  /// Files that are not for clients: of states, sources, sinks and logs.
  static let reserved = 1024

  /// Raises the bound to the highest that this process may have; what it is now.
  static func raise() -> Int {
    let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
    var limit = rlimit()
    guard getrlimit(resource, &limit) == 0 else { return 1024 }
    let former = limit.rlim_cur
    limit.rlim_cur = limit.rlim_max
    if setrlimit(resource, &limit) != 0 { limit.rlim_cur = former }
    return Int(clamping: limit.rlim_cur)
  }

  /// How many clients there may be at a time where so many files may be open: at most `wanted`, at least half of the files.
  static func clients(ofLimit limit: Int, wanted: Int) -> Int { min(wanted, max(limit - reserved, limit / 2)) }
}
