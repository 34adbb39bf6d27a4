internal import HashRing
public import Placement
public import RedisDirectory

/// What `pushring ring inspect` shows: a view, with each member's part of the ring and its load, and what operators ordered.
/// Values only: reading the registry and writing tables, JSON and pictures are apart from this.
public struct ClusterReport: Sendable, Hashable, Codable {
  public let cluster: String
  /// Of the current view.
  public let version: UInt64
  /// Of the current view, hexadecimal.
  public let digest: String
  public let settledVersion: UInt64
  /// Virtual nodes per unit of weight, and the cap on shares in percent of the fair part, 0 without one: what makes the
  /// ring of the members.
  public let tokensPerWeight: Int
  public let shareCapPercent: Int
  /// Ordered by id, then incarnation.
  public let members: [MemberReport]
  /// Whether pods bring strays home by themselves.
  public let homing: Bool
  /// Orders for pods that are no members; those of members are with them.
  public let otherOrders: [OrderReport]
  /// The rebalance that is under way, or was last; nil when there was none.
  public let rebalance: RebalanceSummary?

  public init(
    cluster: String, window: Window, status: [MemberStatus], orders: Orders = Orders(), rebalance: RebalanceJob? = nil
  ) {
    let view = window.current
    let statusByIncarnation = Dictionary(status.map { ($0.member.incarnation, $0) }) { $1 }
    let shares = Dictionary(uniqueKeysWithValues: zip(view.ring.members.map(\.id), view.ring.shares()))
    let onRing = Self.incarnationsOnRing(view)
    self.cluster = cluster
    version = view.stamp.version
    digest = String(view.stamp.digest, radix: 16)
    settledVersion = window.settled.stamp.version
    tokensPerWeight = view.ring.tokensPerWeight
    shareCapPercent = view.ring.shareCap?.percent ?? 0
    members = view.members
      .map { member in
        let share = onRing.contains(member.incarnation) ? shares[member.podID] ?? 0 : 0
        return MemberReport(
          member, share: share, status: statusByIncarnation[member.incarnation], order: orders.order(for: member.podID))
      }
      .sorted { ($0.id, $0.incarnation) < ($1.id, $1.incarnation) }
    homing = orders.homing
    otherOrders = orders.pods.filter { order in !view.members.contains { $0.podID == order.podID } }.map(
      OrderReport.init)
    self.rebalance = rebalance.map(RebalanceSummary.init)
  }

  /// Of two active processes with one pod id only the later incarnation has the pod's part of the ring.
  private static func incarnationsOnRing(_ view: View) -> Set<Incarnation> {
    let active = view.members.filter { $0.state == .active }
    return Set(Dictionary(active.map { ($0.podID, $0.incarnation) }, uniquingKeysWith: max).values)
  }

  /// Nobody ever joined.
  public init(emptyCluster cluster: String) {
    self.cluster = cluster
    version = 0
    digest = "0"
    settledVersion = 0
    tokensPerWeight = HashRing.defaultTokensPerWeight
    shareCapPercent = 0
    members = []
    homing = true
    otherOrders = []
    rebalance = nil
  }

  public var sessions: Int { members.reduce(0) { $0 + $1.sessions } }
  public var strays: Int { members.reduce(0) { $0 + $1.strays } }
}

public struct MemberReport: Sendable, Hashable, Codable {
  public let id: String
  public let incarnation: UInt64
  /// active, cordoned, draining, grace.
  public let state: String
  public let weight: Int
  public let zone: String
  /// Part of the key space, 0 to 1; those of all members add up to 1.
  public let share: Double
  /// As of the member's last renewal.
  public let sessions: Int
  /// Sessions at which it is full; 0: no limit.
  public let limit: Int
  /// Sessions over limit; 0 without a limit.
  public let fullness: Double
  /// Of its sessions, those whose users others own, as of its last renewal.
  public let strays: Int
  /// Until the lease ends; 0 when it has.
  public let leaseSeconds: Double
  public let endpoint: String
  public let peerEndpoint: String
  /// What an operator ordered for its pod id.
  public let order: OrderReport?

  init(_ member: Member, share: Double, status: MemberStatus?, order: PodOrder?) {
    id = member.podID
    incarnation = member.incarnation.rawValue
    state = member.state.rawValue
    weight = member.description.weight
    zone = member.description.zone
    self.share = share
    sessions = status?.load.sessions ?? 0
    limit = status?.load.limit ?? 0
    fullness = limit > 0 ? Double(sessions) / Double(limit) : 0
    strays = status?.load.strays ?? 0
    leaseSeconds = max(0, status.map { Double($0.leaseLeft / .milliseconds(1)) / 1_000 } ?? 0)
    endpoint = member.description.endpoint
    peerEndpoint = member.description.peerEndpoint
    self.order = order.map(OrderReport.init)
  }
}

public struct OrderReport: Sendable, Hashable, Codable {
  public let pod: String
  /// active, cordoned, drained.
  public let state: String
  /// In place of the pod's own; nil: its own.
  public let weight: Int?
  /// "drained, weight 4".
  public let summary: String

  init(_ order: PodOrder) {
    pod = order.podID
    state = order.state.rawValue
    weight = order.weight
    summary = order.summary
  }
}

public struct RebalanceSummary: Sendable, Hashable, Codable {
  public let id: String
  /// running, stopping, done, stopped.
  public let state: String
  public let planned: Int
  public let moved: Int
  public let left: Int

  init(_ job: RebalanceJob) {
    id = job.id
    state = job.state.rawValue
    planned = job.sources.reduce(0) { $0 + $1.planned }
    moved = job.sources.reduce(0) { $0 + $1.moved }
    left = job.sources.reduce(0) { $0 + $1.left }
  }

  public var isUnderWay: Bool { state == "running" || state == "stopping" }
}
