/// A pod: holds sessions, and delivers what Senders bring.
///
/// The parts, each in a file of its own:
/// - `SessionHub` performs what the session table (`Sessions`) decides;
/// - `EdgeServices` is what devices call, `DeliveryService` what Senders call, `Health` what load balancers call;
/// - `StrayReporter` tells other pods of strays, `PlacementService` is told;
/// - `OrderFollower` finds out what operators want,
/// - `SessionMover` moves sessions to where they belong, `MovesService` is asked for leave;
/// - `MembershipKeeper` keeps the lease, `Registrar` the sessions' records;
/// - `SessionManager` starts them in order, and ends them in order.
///
/// The order: a pod listens before it joins, so that nobody is sent to a closed door; and it ends every stream before
/// it stops listening, so that a refused connection proves that nobody is served there any more.
public import Logging
public import RedisDirectory
public import SessionEdge
internal import Placement
internal import Rebalancing
internal import Sessions
internal import Synchronization

public final class SessionManager: Sendable {
  private let configuration: SessionManagerConfiguration
  private let edge: any SessionEdge
  private let directory: RedisDirectory
  private let follower: ViewFollower
  private let observer: any SessionManagerObserver
  private let logger: Logger
  private let hub: SessionHub
  private let registrar: Registrar
  private let reporter: StrayReporter
  private let peers: PeerServer
  private let mover: SessionMover
  private let orders: OrderFollower
  /// The time there is for leaving.
  private let drainOrder = OneShot<Duration>()
  private let isHurried = Mutex(false)

  /// - Parameter follower: is run by the caller, as is the directory's Redis client.
  public init(
    configuration: SessionManagerConfiguration, edge: any SessionEdge, directory: RedisDirectory,
    follower: ViewFollower, observer: any SessionManagerObserver = MetricsObserver(), logger: Logger
  ) {
    var logger = logger
    logger[metadataKey: "pod.id"] = "\(configuration.podID)"
    self.configuration = configuration
    self.edge = edge
    self.directory = directory
    self.follower = follower
    self.observer = observer
    self.logger = logger
    var limits = SessionLimits()
    limits.helloTimeout = configuration.helloTimeout
    limits.outboundBytes = configuration.outboundLimitBytes
    limits.outboundTotalBytes = configuration.outboundTotalLimitBytes
    limits.slowPolicy = configuration.slowPolicy
    limits.messageBytes = configuration.maximumMessageBytes
    limits.sessions = configuration.maximumSessions
    hub = SessionHub(
      podID: configuration.podID, limits: limits, settings: configuration.settings, follower: follower,
      observer: observer)
    reporter = StrayReporter(hub: hub, directory: directory, observer: observer, logger: logger)
    registrar = Registrar(hub: hub, directory: directory, observer: observer, logger: logger)
    peers = PeerServer(
      host: configuration.peerListenHost, port: configuration.peerListenPort,
      services: [
        DeliveryService(hub: hub), PlacementService(hub: hub), MovesService(hub: hub),
        OperationsService(hub: hub), PeerHealth(readiness: hub.readiness),
      ],
      logger: logger)
    mover = SessionMover(
      hub: hub, homing: MoveLimits(rate: configuration.homingRate, deadline: configuration.moveDeadline), logger: logger
    )
    orders = OrderFollower(hub: hub, mover: mover, directory: directory, logger: logger)
  }

  /// Listens, joins, serves. Returns after leaving in good order, which `drain` or the task's cancellation starts.
  /// - Throws: when the pod can't start: a port in use, a malformed pod id, a cluster with other settings.
  public func run() async throws {
    // A task of its own, because a cancelled one could not leave in good order any more.
    let serving = Task { try await self.serve() }
    try await withTaskCancellationHandler {
      try await serving.value
    } onCancel: {
      self.drain(deadline: self.configuration.drainDeadline)
    }
  }

  /// Unready at once; asks clients to go elsewhere, ends streams, leaves. `run` returns within `deadline` and a moment.
  public func drain(deadline: Duration) { drainOrder.succeed(deadline) }

  /// Ends the streams of a pod that drains now, instead of waiting for its clients; they are told where to go.
  public func hurry() { isHurried.withLock { $0 = true } }

  /// Nil when ready to take sessions; otherwise why not, for `/readyz`.
  public var notReadyReason: String? {
    drainOrder.result == nil ? hub.notReadyReason : "the pod is leaving"
  }

  /// Where clients connect, once it listens; throws when it can't.
  public func address() async throws -> String { try await edge.address() }

  /// Where Senders connect, once it listens; throws when it can't.
  public func peerAddress() async throws -> String { try await peers.address() }

  // MARK: Serving

  private enum Part {
    case servers
    case registrar
    case life
  }

  private func serve() async throws {
    try await withThrowingTaskGroup(of: Part.self) { group in
      group.addTask {
        try await self.edge.run(EdgeServices(hub: self.hub))
        return .servers
      }
      group.addTask {
        try await self.peers.run()
        return .servers
      }
      group.addTask {
        await self.registrar.run()
        return .registrar
      }
      group.addTask {
        await self.reporter.run()
        return .registrar
      }
      group.addTask {
        await self.mover.run()
        return .registrar
      }
      group.addTask {
        await self.orders.run()
        return .registrar
      }
      group.addTask {
        await self.ticks()
        return .registrar
      }
      group.addTask {
        try await self.live()
        return .life
      }
      defer { group.cancelAll() }
      for try await part in group {
        if case .life = part { return }
        // The servers end only by `live`'s stopping them, else by throwing.
        guard case .servers = part, drainOrder.result == nil else { continue }
        throw SessionManagerError(message: "a server of this pod ended by itself; start the pod again")
      }
    }
  }

  private func ticks() async {
    while !Task.isCancelled {
      hub.tick()
      try? await Task.sleep(for: .milliseconds(200))
    }
  }

  private func live() async throws {
    let description = MemberDescription(
      podID: configuration.podID, endpoint: try await advertised(configuration.advertise, edge.address(), "advertise"),
      peerEndpoint: try await advertised(configuration.peerAdvertise, peers.address(), "peer-advertise"),
      weight: configuration.weight,
      zone: configuration.zone)
    let keeper = try await MembershipKeeper.join(
      description, settings: configuration.settings, hub: hub, reporter: reporter, orders: orders,
      directory: directory,
      follower: follower, observer: observer, logger: logger, unless: drainOrder)
    let keeping = Task { await keeper?.run() }
    let deadline = (try? await drainOrder.value()) ?? .zero
    await leave(keeper, keeping, within: deadline)
  }

  /// - Throws: when others could not connect there.
  private func advertised(_ configured: String, _ listening: String, _ flag: String) throws -> String {
    let address = configured.isEmpty ? listening : configured
    guard address.hasPrefix("0.0.0.0:") || address.hasPrefix("[::]:") || address.hasSuffix(":0") else { return address }
    throw SessionManagerError(
      message: """
        the pod \(configuration.podID) would tell others to reach it at \(address), where nobody can: give --\(flag) \
        HOST:PORT, an address of this machine that they can reach
        """)
  }

  // MARK: Leaving

  /// Four fifths of the time are the clients'; the rest is for ending streams, records and servers.
  private func leave(_ keeper: MembershipKeeper?, _ keeping: Task<Void?, Never>, within deadline: Duration) async {
    let start = ContinuousClock.now
    let clientsEnd = start.advanced(by: deadline * 4 / 5)
    let end = start.advanced(by: deadline)
    logger.info(
      "The pod is leaving",
      metadata: ["deadline.seconds": "\(deadline.inSeconds)", "streams": "\(hub.streamCount)"])
    hub.startDraining()
    await before(clientsEnd) { await keeper?.drain() }
    mover.take(.drain(drainLimits(within: deadline * 4 / 5)))
    // Without another pod there is nowhere to go, and waiting helps nobody.
    await wait(until: clientsEnd) {
      self.hub.streamCount == 0 || self.hub.isLastOfItsCluster || self.isHurried.withLock { $0 }
    }
    hub.endAll(StreamEnd(.leaving, "this pod is being shut down; connect to another one"))
    await wait(until: end) { self.registrar.isIdle }
    keeping.cancel()
    await before(max(end, .now.advanced(by: .milliseconds(500)))) {
      await keeping.value
      await keeper?.leave()
    }
    hub.readiness.close()
    await edge.stop(deadline: max(.milliseconds(200), ContinuousClock.now.duration(to: end)))
    await peers.stop(grace: .milliseconds(200))
    let counts = hub.moveCounts.counts
    logger.info("The pod has left", metadata: ["sessions.moved": "\(counts.moved)"])
  }

  /// As fast as gets all clients asked in half of the time that there is, and no faster: the rest is for those that come
  /// late, and for targets that take them more slowly.
  private func drainLimits(within time: Duration) -> MoveLimits {
    let seconds = max(0.1, time.inSeconds)
    return MoveLimits(
      rate: max(Self.slowestDrain, Double(hub.streamCount) / (seconds / 2)), concurrency: max(256, hub.streamCount / 4),
      deadline: min(configuration.moveDeadline, time))
  }

  private static let slowestDrain = 100.0

  /// Looked at often: what it waits for is the work of other tasks, and has many causes.
  private func wait(until end: ContinuousClock.Instant, for condition: () -> Bool) async {
    while !condition(), ContinuousClock.now < end { try? await Task.sleep(for: .milliseconds(20)) }
  }

  /// Waits for the work until `end`; then it goes on by itself, bounded by the registry client's time-outs.
  private func before(_ end: ContinuousClock.Instant, _ work: @escaping @Sendable () async -> Void) async {
    let done = OneShot<Void>()
    let task = Task {
      await work()
      done.succeed(())
    }
    if await done.value(before: end) == nil { task.cancel() }
  }
}
