import ArgumentParser
import Glibc

/// The `weir` command: arguments in, exit status out.
///
/// Exit status: 0 done, 1 failed, 2 the topology or the arguments are wrong, 130 interrupted. Data goes to stdout,
/// everything else to stderr.
@main
struct Weir: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "weir", abstract: "Stream processing for usage and billing: exact, repeatable, in one binary.",
    version: "0.1.0",
    subcommands: [
      RunCommand.self, ValidateCommand.self, ExplainCommand.self, PlanCommand.self, SavepointCommand.self,
      CheckpointsCommand.self, GenerateCommand.self, ReplayCommand.self, TransactionCommand.self, RunnerCommand.self,
      SubmitCommand.self, ListCommand.self, StatusCommand.self, UpgradeCommand.self, PauseCommand.self,
      ResumeCommand.self, RescaleCommand.self, CancelCommand.self, AuditCommand.self,
    ])

  static func main() async {
    StandardDescriptors.reserve()
    ProcessMemory.configure()
    do {
      var command = try parseAsRoot()
      if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
    } catch let failure as CommandFailure {
      if !failure.message.isEmpty { StandardError.write(failure.message + "\n") }
      Glibc.exit(failure.status)
    } catch {
      let code = exitCode(for: error)
      let text = fullMessage(for: error)
      if code == .success { print(text) } else { StandardError.write(text + "\n") }
      Glibc.exit(code == .success ? 0 : code == .validationFailure ? 2 : code.rawValue)
    }
  }
}

/// Why the command ends with something other than 0.
struct CommandFailure: Error {
  let status: Int32
  let message: String

  static func failed(_ message: String) -> CommandFailure { CommandFailure(status: 1, message: message) }
  static func wrong(_ message: String) -> CommandFailure { CommandFailure(status: 2, message: message) }
  static let interrupted = CommandFailure(status: 130, message: "")
}

/// Descriptors 0, 1 and 2.
enum StandardDescriptors {
  /// Takes those that the process was started without, so that no file of ours gets such a number and with it what is
  /// written for people. Writing to one is an error, as it was.
  static func reserve() {
    for descriptor in Int32(0)...2 where fcntl(descriptor, F_GETFD) < 0 {
      // The lowest number that is free is this one.
      _ = open("/dev/null", O_RDONLY)
    }
  }
}

/// The error output.
enum StandardError {
  static let isTerminal = isatty(2) == 1

  static func write(_ text: String) {
    var text = text
    text.withUTF8 { bytes in
      var start = 0
      while start < bytes.count {
        let written = Glibc.write(2, bytes.baseAddress.unsafelyUnwrapped + start, bytes.count - start)
        if written <= 0 && errno != EINTR { return }
        start += max(0, written)
      }
    }
  }
}
