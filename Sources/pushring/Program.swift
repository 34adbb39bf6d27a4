internal import ArgumentParser
internal import Foundation

/// Only composes: each subcommand is in a file of its own.
@main
struct Program: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pushring",
    abstract: "Push messages to live sessions that are spread over many pods.",
    discussion: """
      Servers:
        pushring session-manager   a pod: holds the sessions of devices
        pushring sender            takes pushes from backends and finds the pods to call

      See it work, with nothing but redis-server installed:
        pushring demo --keep

      Operating a cluster (Docs/commands.md):
        pushring ring inspect | explain | simulate | check | fix | forget | diff
        pushring rebalance plan | apply | status | stop
        pushring pod cordon | uncordon | drain | weight

      Settings come from flags, environment variables (PUSHRING_…) and a file (--config); Docs/configuration.md lists them.
      Data goes to stdout, everything about it to stderr. --output json prints one object on a line. Tab completion:
        pushring --generate-completion-script bash > /etc/bash_completion.d/pushring
      """,
    version: "0.1.0",
    subcommands: [
      SessionManagerCommand.self, SenderCommand.self, ConnectCommand.self, PushCommand.self, RingCommand.self,
      SessionsCommand.self, RebalanceCommand.self, PodCommand.self, DemoCommand.self, SimulateCommand.self,
      JoinCostCommand.self, ScaleCommand.self,
      BenchCommand.self,
    ])

  static func main() async {
    do {
      var command = try await asyncParseAsRoot()
      do {
        if var command = command as? any AsyncParsableCommand { try await command.run() } else { try command.run() }
      } catch let error as ValidationError {
        endWithUsage(of: type(of: command), error)
      }
    } catch {
      exit(withError: error)
    }
  }

  /// What is wrong with settings is found when a command runs; the library would show the usage of `pushring` then, not
  /// the command's.
  private static func endWithUsage(of command: any ParsableCommand.Type, _ error: ValidationError) -> Never {
    let usage = usageString(for: command)
    let name = usage.split(separator: " ").prefix { !"[<-".contains($0.first ?? " ") }.joined(separator: " ")
    printProgress("Error: \(error.message)\nUsage: \(usage)\n  See '\(name) --help' for more information.")
    Foundation.exit(ExitCode.validationFailure.rawValue)
  }
}
