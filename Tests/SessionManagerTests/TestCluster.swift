import EpollSessionEdge
import Logging
import Placement
import RedisClient
import RedisDirectory
import SessionEdge
import SessionManager
import Sessions
import TestServers

private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// One pod with a Redis client of its own, as in a process of its own.
final class TestPod: Sendable {
  let manager: SessionManager
  private let background: Task<Void, Never>
  private let running: Task<Void, any Error>

  init(
    _ id: String, redis: String, settings: DirectorySettings,
    _ change: (inout SessionManagerConfiguration, inout EdgeConfiguration) -> Void = { _, _ in }
  ) throws {
    var configuration = SessionManagerConfiguration(podID: id, peerListenHost: "127.0.0.1", peerListenPort: 0)
    configuration.settings = settings
    var edge = EdgeConfiguration(host: "127.0.0.1", port: 0)
    change(&configuration, &edge)
    let registry = try TestDirectory(redis, settings)
    manager = SessionManager(
      configuration: configuration, edge: EpollSessionEdge(configuration: edge, logger: silent),
      directory: registry.directory, follower: registry.follower, logger: silent)
    background = Task { await registry.run() }
    running = Task { [manager] in try await manager.run() }
  }

  func address() async throws -> String { try await bounded { try await self.manager.address() } }

  func peerAddress() async throws -> String { try await bounded { try await self.manager.peerAddress() } }

  func ready() async throws {
    try await eventually("the pod is ready: \(manager.notReadyReason ?? "")") { self.manager.notReadyReason == nil }
  }

  /// Waits for the end of `run`, and throws what it throws.
  func ended(within limit: Duration = .seconds(10)) async throws {
    _ = try await waitForEnd(limit)
    try await running.value
  }

  private func waitForEnd(_ limit: Duration) async throws -> Bool {
    let end = AsyncStream.makeStream(of: Void.self)
    let watching = Task {
      _ = await running.result
      end.continuation.finish()
    }
    defer { watching.cancel() }
    return try await bounded(limit, "the end of the pod") {
      for await _ in end.stream {}
      return true
    }
  }

  /// For the end of a test: quickly, whatever state the pod is in.
  func stop() async {
    manager.drain(deadline: .zero)
    _ = try? await waitForEnd(.seconds(15))
    background.cancel()
    await background.value
  }
}

/// The test's own look at the registry, and every pod's.
struct TestDirectory: Sendable {
  let client: RedisClient
  let directory: RedisDirectory
  let follower: ViewFollower

  init(_ redis: String, _ settings: DirectorySettings) throws {
    var configuration = try RedisConfiguration(url: redis)
    configuration.commandTimeout = .seconds(1)
    configuration.maximumBackoff = .milliseconds(200)
    client = RedisClient(configuration: configuration, logger: silent)
    directory = RedisDirectory(client: client, cluster: try ClusterName("test"), settings: settings, logger: silent)
    follower = ViewFollower(directory: directory, configuration: configuration, logger: silent)
  }

  func run() async {
    await withDiscardingTaskGroup { group in
      group.addTask { await client.run() }
      group.addTask { await follower.run() }
    }
  }
}

struct TestCluster: Sendable {
  let redis: RedisServer
  let pods: [TestPod]
  let registry: RedisDirectory

  func records(of user: String) async throws -> [SessionRecord] { try await registry.records(of: try UserID(user)) }

  func sessions(of user: String) async throws -> Set<String> {
    Set(try await records(of: user).map(\.key.session.text))
  }
}

/// Renewals four times a second, leases that survive a busy machine.
let quickSettings: DirectorySettings = {
  var settings = DirectorySettings()
  settings.renewalInterval = .milliseconds(250)
  settings.lease = .seconds(3)
  settings.grace = .seconds(10)
  return settings
}()

/// A registry that is not new: in a new one nobody is admitted for one lease, which would be most of a test's time.
private func awaitAge(of look: TestDirectory, _ redis: RedisServer) async throws {
  let someone = MemberDescription(podID: "before", endpoint: "127.0.0.1:1", peerEndpoint: "127.0.0.1:1")
  let membership = try await waitUntil("somebody was a member before") { try? await look.directory.join(someone) }
  try await look.directory.leave(membership.incarnation)
  try await redis.cli("HDEL", "pushring:{test}:meta", "settles_from", "admits_from")
}

/// A real redis-server and real pods, all members and ready, for as long as `body` runs.
func withCluster(
  _ ids: [String] = ["a"], settings: DirectorySettings = quickSettings,
  _ change: (inout SessionManagerConfiguration, inout EdgeConfiguration) -> Void = { _, _ in },
  _ body: (TestCluster) async throws -> Void
) async throws {
  let redis = try await RedisServer.start()
  let look = try TestDirectory(redis.url, settings)
  let looking = Task { await look.client.run() }
  var pods: [TestPod] = []
  var failure: (any Error)?
  do {
    try await awaitAge(of: look, redis)
    for id in ids { pods.append(try TestPod(id, redis: redis.url, settings: settings, change)) }
    for pod in pods { try await pod.ready() }
    try await eventually("all pods are in the view") {
      try await look.directory.window()?.current.members.count == ids.count
    }
    let cluster = TestCluster(redis: redis, pods: pods, registry: look.directory)
    try await body(cluster)
  } catch {
    failure = error
  }
  await withDiscardingTaskGroup { group in for pod in pods { group.addTask { await pod.stop() } } }
  looking.cancel()
  await looking.value
  if let failure { throw failure }
}
