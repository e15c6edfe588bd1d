import Glibc

/// Reads what a topology says of itself beside its streams: version, name, parallelism, checkpoints, memory, restarts.
///
/// | key | type | default |
/// |---|---|---|
/// | `weir` | the language's version | required: 1 |
/// | `topology` | `[a-z0-9-]{1,63}` | required |
/// | `description` | text | empty |
/// | `parallelism` | 1 … 128 | the processors there are |
/// | `checkpoint.interval` | duration, 1ms or more | 10s |
/// | `checkpoint.directory` | path | `../checkpoints`, relative to the file |
/// | `checkpoint.retain` | 1 or more | 3 |
/// | `checkpoint.timeout` | duration, 1ms or more | 10m |
/// | `checkpoint.min_pause` | duration | 0s |
/// | `state.memory` | size, 1MB or more | 256MB |
/// | `restart.attempts` | 0 or more | 10 |
/// | `restart.initial_backoff`, `restart.max_backoff` | duration | 1s, 60s |
struct SettingsChecker {
  let root: Section
  let base: String

  static let keys = [
    "weir", "topology", "description", "parallelism", "checkpoint", "state", "restart", "dead_letters", "sources",
    "steps",
    "sinks", "views",
  ]
  static let version = "1"
  /// As many as there are key groups.
  static let maxParallelism: Int64 = 128
  static let defaultStateMemoryBytes = 256 << 20
  static let defaultCheckpointDirectory = "../checkpoints"

  func checkVersion() {
    guard let item = root.required("weir", "the version of the language first: weir: 1"),
      let scalar = item.scalar("the version of the language: 1")
    else { return }
    if scalar.text != SettingsChecker.version {
      item.fault(
        "there is no version `\(scalar.shown)` of the topology language", "write `weir: \(SettingsChecker.version)`")
    }
  }

  func name() -> String? {
    guard let item = root.required("topology", "its name: topology: usage-aggregation"),
      let scalar = item.scalar("its name, such as usage-aggregation")
    else { return nil }
    if Names.isTopologyName(scalar.text) { return scalar.text }
    item.fault("`\(scalar.shown)` is no topology name", "use 1 to \(Names.longest) of a-z, 0-9 and `-`")
    return nil
  }

  func description() -> String? {
    guard let item = root["description"], !item.isEmpty else { return "" }
    return item.scalar("a text")?.text
  }

  func parallelism() -> Int? {
    guard let item = root["parallelism"] else {
      return min(max(Int(sysconf(Int32(_SC_NPROCESSORS_ONLN))), 1), Int(SettingsChecker.maxParallelism))
    }
    return item.integer(in: 1...SettingsChecker.maxParallelism).map { Int($0) }
  }

  func stateMemory() -> Int? {
    guard let item = root["state"] else { return SettingsChecker.defaultStateMemoryBytes }
    guard let state = item.section(["memory"], expected: "{memory: 256MB}") else { return nil }
    return state["memory"].map { $0.size(atLeast: 1 << 20) } ?? SettingsChecker.defaultStateMemoryBytes
  }

  func checkpoint() -> CheckpointSettings? {
    let standard = TopologyFile.absolute(SettingsChecker.defaultCheckpointDirectory, relativeTo: base)
    var settings = CheckpointSettings(directory: standard)
    guard let item = root["checkpoint"] else { return settings }
    let keys = ["interval", "directory", "retain", "timeout", "min_pause"]
    guard let section = item.section(keys, expected: "{interval: 10s, directory: ../checkpoints}") else { return nil }
    var isFaulty = false
    func read<Value>(_ key: String, _ target: WritableKeyPath<CheckpointSettings, Value>, _ value: (Item) -> Value?) {
      guard let item = section[key] else { return }
      if let value = value(item) { settings[keyPath: target] = value } else { isFaulty = true }
    }
    read("interval", \.intervalMilliseconds) { $0.duration(atLeast: 1) }
    read("directory", \.directory) { PathText.read($0, relativeTo: base) }
    read("retain", \.retain) { $0.integer(in: 1...1000).map { Int($0) } }
    read("timeout", \.timeoutMilliseconds) { $0.duration(atLeast: 1) }
    read("min_pause", \.minPauseMilliseconds) { $0.duration() }
    return isFaulty ? nil : settings
  }

  func restart() -> RestartSettings? {
    var settings = RestartSettings()
    guard let item = root["restart"] else { return settings }
    let keys = ["attempts", "initial_backoff", "max_backoff"]
    guard let section = item.section(keys, expected: "{attempts: 10, initial_backoff: 1s, max_backoff: 60s}") else {
      return nil
    }
    let attempts = section["attempts"].map { $0.integer(in: 0...1_000_000) } ?? Int64(settings.attempts)
    let initial = section["initial_backoff"].map { $0.duration(atLeast: 1) } ?? settings.initialBackoffMilliseconds
    let longest =
      section["max_backoff"].map { $0.duration(atLeast: 1) } ?? max(settings.maxBackoffMilliseconds, initial ?? 0)
    if let initial, let longest, initial > longest {
      let (first, last) = (Durations.format(initial), Durations.format(longest))
      (section["initial_backoff"] ?? section["max_backoff"])?.fault(
        "the first pause of \(first) is longer than the longest of \(last)",
        "raise max_backoff or lower initial_backoff")
      return nil
    }
    guard let attempts, let initial, let longest else { return nil }
    settings.attempts = Int(attempts)
    settings.initialBackoffMilliseconds = initial
    settings.maxBackoffMilliseconds = longest
    return settings
  }
}
