import HashRing
import Logging
import Placement
import RedisClient
import RedisDirectory
import Sender
import Sessions
import TestServers
import Testing

/// A registry on a real redis-server, fake pods by real gRPC, and the Sender under test.
struct TestCluster {
  let redis: RedisServer
  let directory: RedisDirectory
  let follower: ViewFollower
  let sender: Sender
  let pods: [FakePod]
  let memberships: [Membership]

  static let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  /// A session in the registry and on its pod.
  @discardableResult
  func open(_ session: String, of user: String, on pod: Int) async throws -> SessionRecord {
    let record = try await register(session, of: user, on: pod)
    pods[pod].change { $0.sessions[user, default: [:]][session] = record.epoch.rawValue }
    return record
  }

  /// In the registry only.
  @discardableResult
  func register(_ session: String, of user: String, on pod: Int) async throws -> SessionRecord {
    let key = SessionKey(user: try UserID(user), session: try SessionID(session))
    return try await directory.register(
      key, podID: pods[pod].podID, incarnation: memberships[pod].incarnation, lastEpoch: .none
    ).record
  }

  /// A user whom the ring gives to `pod`.
  func user(ownedBy pod: Int) throws -> String {
    let view = try #require(follower.window).current
    return try #require(
      (0..<10_000).lazy.map { "user-\($0)" }
        .first { view.owner(ofUserHash: keyHash($0.utf8))?.podID == pods[pod].podID })
  }

  func awaitLinks() async throws {
    try await eventually("the links are up") { pods.allSatisfy { $0.look { $0.openStreams } == 1 } }
  }
}

/// Runs `body` with a Sender that has its links to `pods` pods up.
func withCluster(
  pods count: Int = 2, _ configure: (inout SenderConfiguration) -> Void = { _ in },
  observer: any SenderObserver = SenderMetrics(),
  _ body: (TestCluster) async throws -> Void
) async throws {
  var configuration = SenderConfiguration()
  configuration.pushTimeout = .seconds(20)
  // By chance, which a count of reads can't bear.
  configuration.auditInterval = 0
  configure(&configuration)
  var settings = DirectorySettings()
  settings.lease = .seconds(60)
  settings.recoveryWait = .zero
  let redis = try await RedisServer.start()
  let address = try RedisConfiguration(url: redis.url)
  let logger = TestCluster.logger
  let client = RedisClient(configuration: address, logger: logger)
  let directory = RedisDirectory(client: client, cluster: try ClusterName("test"), settings: settings, logger: logger)
  let follower = ViewFollower(
    directory: directory, configuration: address, pollInterval: .milliseconds(100), logger: logger)
  let sender = Sender(
    configuration: configuration, directory: directory, follower: follower, observer: observer, logger: logger)
  let pods = (0..<count).map { FakePod(podID: "pod-\($0)") }
  let running = Task {
    await withDiscardingTaskGroup { group in
      group.addTask { await client.run() }
      group.addTask { await follower.run() }
      group.addTask { try? await sender.run() }
    }
  }
  func stop() async throws {
    running.cancel()
    for pod in pods { await pod.kill() }
    await running.value
    try await redis.kill()
  }
  do {
    try await eventually("Redis answers") { (try? await client.send(["PING"])) != nil }
    var memberships: [Membership] = []
    for pod in pods { memberships.append(try await join(pod, directory)) }
    try await settle(memberships, directory)
    let cluster = TestCluster(
      redis: redis, directory: directory, follower: follower, sender: sender, pods: pods, memberships: memberships)
    try await eventually("the Sender knows all pods") {
      (follower.window?.current.members.count ?? 0) == count
    }
    try await eventually("the Sender is ready") { count == 0 || sender.notReadyReason == nil }
    try await cluster.awaitLinks()
    try await body(cluster)
  } catch {
    try? await stop()
    throw error
  }
  try await stop()
}

/// All acknowledge the newest view: fake pods do nothing by themselves.
func settle(_ memberships: [Membership], _ directory: RedisDirectory) async throws {
  guard let current = memberships.last?.window.current.stamp else { return }
  for membership in memberships { _ = try await directory.acknowledge(membership.incarnation, view: current) }
}

func join(_ pod: FakePod, _ directory: RedisDirectory) async throws -> Membership {
  let address = try await pod.start()
  let membership = try await directory.join(
    MemberDescription(podID: pod.podID, endpoint: "127.0.0.1:1", peerEndpoint: address))
  pod.change { $0.incarnation = membership.incarnation.rawValue }
  return membership
}

extension PushResult {
  /// "desk pod-1 delivered".
  var outcomes: [String] { sessions.map { "\($0.session) \($0.pod) \($0.outcome.rawValue)" } }
}
