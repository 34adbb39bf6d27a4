/// Moves this pod's strays to where they belong: slowly by itself, faster for a rebalance, and all of them in a drain.
///
/// Every move is paced three times over: by the pod's own limits, by what the target grants, and by the client's time to
/// come. Nothing is begun while the registry can't be reached, or while a view has not settled (but in a drain).
internal import HashRing
internal import Logging
internal import Placement
internal import Rebalancing
internal import RedisDirectory
internal import SessionEdge
internal import Sessions
internal import Synchronization
internal import Wire

final class SessionMover: Sendable {
  private let hub: SessionHub
  private let calls: PeerCalls
  private let homing: MoveLimits
  private let logger: Logger
  private let state = Mutex(State())

  private static let interval = Duration.milliseconds(100)
  /// Between two looks at all sessions, unless one found more than could be asked.
  private static let lookInterval = Duration.seconds(1)

  private struct State {
    var task = MoveTask.homing
    var lastLook: ContinuousClock.Instant?
    /// Of the last look for this task: sessions that could be asked.
    var movable: Int?
    var work: RebalanceWork?
  }

  /// - Parameter homing: a rate of 0: strays stay until their clients reconnect, or somebody asks for a rebalance.
  init(hub: SessionHub, homing: MoveLimits, logger: Logger) {
    self.hub = hub
    self.homing = homing
    self.logger = logger
    calls = PeerCalls(logger: logger)
    hub.limitMoves(homing)
  }

  /// Until the task is cancelled.
  func run() async {
    while !Task.isCancelled {
      await step()
      try? await Task.sleep(for: Self.interval)
    }
    calls.closeAll()
  }

  var task: MoveTask { state.withLock { $0.task } }

  /// What there is to do from now on. A drain is for good.
  func take(_ task: MoveTask) {
    let isNew = state.withLock { state in
      if case .drain = state.task { return false }
      guard state.task != task else { return false }
      state.task = task
      state.lastLook = nil
      state.movable = nil
      state.work = nil
      if case .rebalance(let order) = task {
        state.work = RebalanceWork(id: order.id, planned: order.planned, counts: hub.moveCounts.counts, now: hub.now)
      }
      return true
    }
    guard isNew else { return }
    hub.limitMoves(task.limits ?? homing)
    if task.limits != nil { hub.wakeResting() }
  }

  /// How far the rebalance is that was given by `take`; nil when there is none.
  func progress() -> RebalanceWork.Progress? {
    let (counts, underWay) = hub.moveCounts
    return state.withLock { state in
      state.work?.progress(counts, underWay: underWay, movable: state.movable, now: hub.now)
    }
  }

  /// Begins no more moves for the rebalance; those under way end.
  func stopRebalance() { state.withLock { $0.work?.stop() } }

  // MARK: One step

  private func step() async {
    hub.endOverdueMoves()
    let task = task
    guard mayMove(task), isLookDue else { return }
    let counts = hub.moveCounts.counts
    let allowance = state.withLock { $0.work?.allowance(counts) } ?? .max
    let budget = min(hub.moveBudget, allowance)
    guard budget > 0 else { return }
    let look = hub.lookForStrays(of: task.userHash, limit: budget)
    let movable = look.movable.values.reduce(0) { $0 + $1.count }
    let found = movable + (task.sendsAway ? look.immovable.count : 0)
    state.withLock { state in
      // More than asked for now: another look at the next step.
      state.lastLook = found < budget ? .now : nil
      if state.task == task { state.movable = found + look.resting }
    }
    await ask(look.movable, task)
    guard task.sendsAway else { return }
    let away = look.immovable.prefix(budget - min(budget, movable))
    for stream in away { hub.sendAway(stream) }
    state.withLock { $0.work?.sentAway(away.count) }
  }

  private var isLookDue: Bool {
    state.withLock { $0.lastLook.map { $0.duration(to: .now) >= Self.lookInterval } ?? true }
  }

  private func mayMove(_ task: MoveTask) -> Bool {
    guard let window = hub.window, !window.current.ring.members.isEmpty else { return false }
    switch task {
    case .drain: return true
    case .paused: return false
    case .homing:
      guard homing.rate > 0, !hub.isCordoned else { return false }
    case .rebalance, .emptying:
      break
    }
    return hub.reachesRegistry && window.settled.stamp == window.current.stamp
  }

  private func ask(_ movable: [Incarnation: [StreamID]], _ task: MoveTask) async {
    guard let view = hub.window?.current else { return }
    await withTaskGroup(of: Void.self) { group in
      for (incarnation, streams) in movable {
        guard let target = view.member(incarnation) else { continue }
        group.addTask {
          let granted = await self.offer(streams.count, to: target, task)
          self.hub.move(streams.prefix(granted), to: target, reason: task.reason)
        }
      }
    }
  }

  /// - Returns: how many the target takes.
  private func offer(_ count: Int, to target: Member, _ task: MoveTask) async -> Int {
    var offer = Pushring_V1_MoveOffer()
    offer.window = Pushring_V1_ViewWindow(hub.window?.stamps ?? .none)
    offer.source = hub.incarnation?.rawValue ?? 0
    offer.target = target.incarnation.rawValue
    offer.count = UInt32(clamping: count)
    offer.deadlineMillis = UInt32(clamping: (task.limits ?? homing).deadline.milliseconds)
    guard let grant = await calls.offer(offer, at: target) else {
      hub.targetRefused(target.incarnation, for: .seconds(1))
      return 0
    }
    hub.stampsSeen(WindowStamps(grant.window))
    if grant.granted == 0 {
      hub.targetRefused(target.incarnation, for: .milliseconds(Int64(grant.retryAfterMillis)))
    }
    return Int(grant.granted)
  }
}

/// Why sessions are moved, and how fast.
enum MoveTask: Hashable, Sendable {
  /// Strays go home at the pod's own pace.
  case homing
  /// An operator wants strays to stay where they are.
  case paused
  /// An operator's rebalance.
  case rebalance(RebalanceOrder)
  /// An operator wants this pod empty.
  case emptying(MoveLimits)
  /// The pod leaves.
  case drain(MoveLimits)

  var limits: MoveLimits? {
    switch self {
    case .homing, .paused: nil
    case .rebalance(let order): order.limits
    case .emptying(let limits), .drain(let limits): limits
    }
  }

  /// Whether clients that can't move are ended, with a status that says where to go. In a drain they are, at its end.
  var sendsAway: Bool {
    if case .rebalance(let order) = self { order.sendsAway } else { false }
  }

  var userHash: UInt64? {
    if case .rebalance(let order) = self { order.userHash } else { nil }
  }

  var reason: Pushring_V1_Reconnect.Reason {
    switch self {
    case .homing, .paused, .rebalance: .rebalance
    case .emptying, .drain: .leaving
    }
  }
}

/// One pod's part of a rebalance.
struct RebalanceOrder: Hashable, Sendable {
  let id: String
  let planned: Int
  let limits: MoveLimits
  let sendsAway: Bool
  let userHash: UInt64?
}
