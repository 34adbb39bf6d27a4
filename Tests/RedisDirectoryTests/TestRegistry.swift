import Logging
import Placement
import RedisClient
import RedisDirectory
import Sessions
import TestServers

/// A registry on a real redis-server of the test's own.
struct TestRegistry {
  let server: RedisServer
  let configuration: RedisConfiguration
  let client: RedisClient
  let directory: RedisDirectory
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

  static var settings: DirectorySettings {
    var settings = DirectorySettings()
    settings.renewalInterval = .milliseconds(100)
    settings.lease = .milliseconds(300)
    settings.grace = .milliseconds(500)
    settings.recoveryWait = .zero
    return settings
  }

  /// Long enough that no lease ends by itself.
  static var patientSettings: DirectorySettings {
    var settings = DirectorySettings()
    settings.recoveryWait = .zero
    return settings
  }

  /// Another program on the same registry, over the same connection.
  func directory(_ settings: DirectorySettings) throws -> RedisDirectory {
    RedisDirectory(
      client: client, cluster: try ClusterName("test"), settings: settings, logger: logger)
  }

  /// Goes on renewing `incarnation` until `condition` holds of the window.
  @discardableResult
  func renew(_ incarnation: Incarnation, until what: String, _ condition: (Window) -> Bool) async throws -> Window {
    try await waitUntil(what) {
      _ = try await directory.renew(incarnation, load: MemberLoad(sessions: 0, strays: 0))
      guard let window = try await directory.window(), condition(window) else { return nil }
      return window
    }
  }
}

func withRegistry(
  _ settings: DirectorySettings = TestRegistry.patientSettings, isCluster: Bool = false,
  isPersistent: Bool = false,
  users: [RedisServer.User] = [],
  _ body: (TestRegistry) async throws -> Void
) async throws {
  var options = RedisServer.Options()
  options.users = users
  options.isPersistent = isPersistent
  // The port of the cluster bus would be 10,000 higher, which may be too high.
  if isCluster { options.lines = ["cluster-enabled yes", "cluster-port \(try freePort())"] }
  let server = try await RedisServer.start(options)
  if isCluster {
    try await server.cli("CLUSTER", "ADDSLOTSRANGE", "0", "16383")
    try await eventually("the cluster is up") { try await server.cli("CLUSTER", "INFO").contains("cluster_state:ok") }
  }
  let configuration = try RedisConfiguration(url: server.url)
  let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
  let client = RedisClient(configuration: configuration, logger: logger)
  let directory = RedisDirectory(
    client: client, cluster: try ClusterName("test"), settings: settings, logger: logger)
  let registry = TestRegistry(server: server, configuration: configuration, client: client, directory: directory)
  let running = Task { await client.run() }
  do {
    try await eventually("the client is connected") { (try? await client.send(["PING"])) != nil }
    try await body(registry)
  } catch {
    running.cancel()
    await running.value
    try? await server.kill()
    throw error
  }
  running.cancel()
  await running.value
  try await server.kill()
}

func pod(_ number: Int, weight: Int = 1, zone: String = "") -> MemberDescription {
  MemberDescription(
    podID: "pod-\(number)", endpoint: "10.0.0.\(number):7000", peerEndpoint: "10.0.0.\(number):7001", weight: weight,
    zone: zone)
}

func key(_ user: String, _ session: String) throws -> SessionKey {
  SessionKey(user: try UserID(user), session: try SessionID(session))
}

extension View {
  /// What a pod knows that has seen no view.
  static var none: View { get throws { try View(stamp: .none, members: []) } }

  func state(_ incarnation: Incarnation) -> MemberState? { member(incarnation)?.state }
}
