import Glibc

extension ConnectorError {
  /// The error of a system call that failed with `code`: `place: path: cannot <action>: <why> — <mend>`.
  static func system(_ code: Int32, place: String, path: String, cannot action: String) -> ConnectorError {
    let reason = String(cString: strerror(code))
    return ConnectorError(
      "\(place): \(path): cannot \(action): \(reason) — \(mend(for: code))", isRetriable: mayPass(code))
  }

  private static func mend(for code: Int32) -> String {
    switch code {
    case ENOENT: "check the path; if it was there, put it back and start again"
    case EACCES, EPERM: "give the user who runs weir permission for it and for the directories above it"
    case ENOTDIR: "a part of the path is a file where a directory is needed; correct the path"
    case EISDIR: "it is a directory where a file is needed; correct the path"
    case ELOOP: "its symbolic links lead in a circle; correct them"
    case ENAMETOOLONG: "use a shorter path"
    case ENOSPC, EDQUOT: "free space there or write elsewhere; the job goes on from its last checkpoint"
    case EFBIG: "raise the limit on file sizes (ulimit -f)"
    case EROFS: "it is mounted read-only; mount it for writing or write elsewhere"
    case EMFILE, ENFILE: "raise the limit on open files (ulimit -n)"
    case EPIPE: "whatever read the output has ended; keep it running"
    case EIO, ESTALE: "the storage failed; see the system log, mend it and start again"
    default: "mend that and start again"
    }
  }

  /// Whether the condition may pass without anybody correcting the topology.
  private static func mayPass(_ code: Int32) -> Bool {
    switch code {
    case ENOSPC, EDQUOT, EMFILE, ENFILE, EIO, ESTALE, EAGAIN, EBUSY, ENOMEM: true
    default: false
    }
  }
}

/// Repeats a system call that signals interrupt; the result is the call's own, `errno` as it left it.
@inline(__always) func retryingInterrupts(_ call: () -> Int) -> Int {
  while true {
    let result = call()
    if result >= 0 || errno != EINTR { return result }
  }
}
