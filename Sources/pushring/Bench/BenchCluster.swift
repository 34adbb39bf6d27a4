internal import Foundation
internal import HashRing
internal import LoadClient
internal import Logging
internal import Placement
internal import RedisClient
internal import RedisDirectory
internal import Routing
internal import Settings
internal import Wire

/// What a benchmark runs against: a cluster of its own, or one that runs, of which it then knows only what the Sender says.
final class BenchCluster: Sendable {
  /// Of a pod that leaves.
  static let drainSeconds = 60
  let local: LocalCluster?
  let sender: HostAndPort
  private let givenEndpoints: [String]
  private let registry: RegistryAccess?
  private let connection: Task<Void, Never>?

  init(_ options: BenchOptions, logger: Logger) throws {
    if let sender = options.sender, let endpoint = options.endpoint {
      guard let address = HostAndPort(sender) else { throw Failure("--sender \(sender): give HOST:PORT") }
      (local, self.sender, registry, connection) = (nil, address, nil, nil)
      givenEndpoints = endpoint.split(separator: ",").map(String.init)
      return
    }
    // One more is prepared than is started, for a workload in which a pod joins.
    let cluster = try LocalCluster(
      name: "bench-\(ProcessInfo.processInfo.processIdentifier)", pods: options.pods + 1,
      redisServer: options.redisServer, redis: options.redis, podCPUs: options.podCPUs,
      // Strays stay where a workload puts them.
      podFlags: ["--homing-rate", "0", "--drain-deadline", "\(Self.drainSeconds)s"], logger: logger)
    let settings = try SettingValues(
      flags: ["redis": cluster.redisURL, "cluster": cluster.name], environment: [:])
    let access = try RegistryAccess(settings, logger: logger)
    (local, sender, registry, givenEndpoints) = (cluster, cluster.sender, access, [])
    connection = Task { await access.client.run() }
  }

  /// Starts Redis, pods and Sender, and waits until they serve.
  func start(pods: Int, _ options: BenchOptions) async throws {
    guard let local, let registry else { return }
    try local.startRedis()
    try await local.wait(for: "Redis", limit: .seconds(10)) { (try? await registry.client.send(["PING"])) != nil }
    for pod in local.pods.prefix(pods) { try local.start(pod) }
    try await waitSettled(pods: pods)
    try local.startSender(["--max-in-flight", "200000", "--audit-interval", "0"])
    try await local.wait(for: "the Sender", limit: .seconds(20)) { await self.answers() }
  }

  func waitSettled(pods: Int) async throws {
    guard let local, let registry else { return }
    try await local.wait(for: "\(pods) pods in a settled view", limit: .seconds(60)) {
      guard let window = try? await registry.directory.window() else { return false }
      return window.settled.stamp == window.current.stamp && window.current.ring.members.count == pods
    }
  }

  /// Whether the Sender has a view to push by.
  private func answers() async -> Bool {
    var request = Pushring_V1_PushRequest()
    request.userID = "nobody"
    return (try? await push(request, through: sender, timeout: .seconds(1))) != nil
  }

  /// The current view; nil for a cluster that is not ours.
  func view() async throws -> View? { try await registry?.directory.window()?.current }

  /// Where clients connect: in the order of `places`.
  func endpoints(_ view: View?) -> [String] { view.map { $0.members.map(\.description.endpoint) } ?? givenEndpoints }

  /// For each session the index of its endpoint: at home as the strategy means it, a share of them elsewhere.
  func places(_ options: BenchOptions, _ view: View?, random: inout SplitMix) -> [Int] {
    let endpoints = endpoints(view)
    var places: [Int] = []
    places.reserveCapacity(options.sessions)
    for session in 0..<options.sessions {
      let hash = keyHash("user-\(session / options.sessionsPerUser)".utf8)
      let home: Member? =
        switch options.strategy {
        case .ring: view?.owner(ofUserHash: hash)
        case .modulo: view?.memberByModulo(ofUserHash: hash)
        // As a load balancer would.
        case .directory, .directoryGrouped: nil
        }
      let index = home.flatMap { home in view?.members.firstIndex { $0.incarnation == home.incarnation } }
      if let index, random.unit() >= options.strays {
        places.append(index)
      } else if let index, endpoints.count > 1 {
        places.append((index + 1 + random.below(endpoints.count - 1)) % endpoints.count)
      } else {
        places.append(random.below(endpoints.count))
      }
    }
    return places
  }

  /// Which users live where, by the ring.
  func parts(users: Int) async throws -> [PushDriver.PodPart] {
    guard let view = try await view() else {
      throw Failure("--mode deliver calls pods at their peer port: it needs a cluster of its own (no --sender)")
    }
    var users = Dictionary(grouping: 0..<users) { user in
      view.owner(ofUserHash: keyHash(LoadPlan.userName(user).utf8))?.podID ?? ""
    }
    return view.members.compactMap { member in
      guard let address = HostAndPort(member.description.peerEndpoint) else { return nil }
      return PushDriver.PodPart(address: address, users: users.removeValue(forKey: member.podID) ?? [])
    }
  }

  // MARK: What the servers use

  /// Pods by name, "sender" and "redis": those that run.
  var processes: [(name: String, id: Int32)] {
    guard let local else { return [] }
    return (local.pods.map(\.id) + ["sender", "redis"]).compactMap { name in local.processID(name).map { (name, $0) } }
  }

  /// HGETALL calls, by Redis' own count.
  func redisReads() async -> Double? {
    guard let registry, case .bulk(let text)? = try? await registry.client.send(["INFO", "commandstats"]) else {
      return nil
    }
    let line = String(decoding: text, as: UTF8.self).split(whereSeparator: \.isNewline)
      .first { $0.hasPrefix("cmdstat_hgetall:calls=") }
    return line.flatMap { Double($0.dropFirst("cmdstat_hgetall:calls=".count).prefix { $0.isNumber }) } ?? 0
  }

  func end() {
    connection?.cancel()
    local?.removeEverything()
  }
}
