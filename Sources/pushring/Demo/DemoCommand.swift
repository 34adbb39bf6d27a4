internal import ArgumentParser
internal import Foundation
internal import Logging
internal import Settings
internal import UnixSignals

struct DemoCommand: AsyncParsableCommand, SettingsReader {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "See a whole cluster at work on this machine: it needs only redis-server.",
    discussion: """
      Starts a private redis-server, pods and a Sender on free ports of 127.0.0.1, opens sessions with real clients, pushes
      to all of them by each strategy, kills a pod with SIGKILL, and tells what happened. Afterwards everything is gone
      again, unless --keep is given. Exit code 0: every message arrived where it should.
      """)

  @Option(name: .long, help: ArgumentHelp("How many pods.", valueName: "N"))
  var pods = 3
  @Option(name: .long, help: ArgumentHelp("How many users.", valueName: "N"))
  var users = 100
  @Option(name: .long, help: ArgumentHelp("How many sessions each user has.", valueName: "N"))
  var sessionsPerUser = 3
  @Option(name: .long, help: ArgumentHelp("Every N-th user has one session on a wrong pod; 0: none.", valueName: "N"))
  var strayEvery = 5
  @Option(name: .long, help: ArgumentHelp("The Redis server to start.", valueName: "FILE"))
  var redisServer = "redis-server"
  @Flag(name: .long, help: "Leave the cluster running, and show commands to try.")
  var keep = false
  @OptionGroup var common: CommonOptions

  var flags: [SettingFlag] { common.flags }

  func validate() throws {
    guard (2...20).contains(pods) else { throw ValidationError("--pods must be from 2 to 20") }
    guard (1...10_000).contains(users) else { throw ValidationError("--users must be from 1 to 10000") }
    guard (1...100).contains(sessionsPerUser) else {
      throw ValidationError("--sessions-per-user must be from 1 to 100")
    }
    guard strayEvery >= 0 else { throw ValidationError("--stray-every must be 0 or more") }
  }

  func run() async throws {
    let settings = try settings()
    let logger = try Logger("demo", settings, minimum: .error)
    // First of all, so that Ctrl-C at any moment leaves nothing behind.
    let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
    let cluster = try LocalCluster(name: "demo", pods: pods, redisServer: redisServer, logger: logger)
    let story = DemoStory(
      cluster: cluster, users: users, sessionsPerUser: sessionsPerUser, strayEvery: strayEvery, logger: logger)
    let telling = Task { try await story.tell() }
    let listener = Task {
      for await _ in signals { telling.cancel() }
    }
    defer { listener.cancel() }
    do {
      try await telling.value
    } catch {
      if !telling.isCancelled { printProgress(cluster.newestLogLines) }
      cluster.removeEverything()
      throw telling.isCancelled ? ExitCode(130) : Failure("\(error)")
    }
    if keep { printData(cluster.commandsToTry) } else { cluster.removeEverything() }
  }
}
