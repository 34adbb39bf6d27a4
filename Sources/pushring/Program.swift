internal import ArgumentParser

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

      Settings come from flags, environment variables (PUSHRING_…) and a file (--config); Docs/configuration.md lists them.
      """,
    version: "0.1.0",
    subcommands: [
      SessionManagerCommand.self, SenderCommand.self, ConnectCommand.self, PushCommand.self, RingCommand.self,
      SessionsCommand.self, DemoCommand.self, SimulateCommand.self, JoinCostCommand.self, BenchCommand.self,
    ])
}
