internal import HashRing
public import Placement
public import RedisDirectory

/// What `pushring ring inspect` shows: a view, with each member's part of the ring and its load. Values only: reading the
/// registry and writing tables, JSON and pictures are apart from this.
public struct ClusterReport: Sendable, Hashable, Encodable {
  public let cluster: String
  /// Of the current view.
  public let version: UInt64
  /// Of the current view, hexadecimal.
  public let digest: String
  public let settledVersion: UInt64
  /// Ordered by id, then incarnation.
  public let members: [MemberReport]

  public init(cluster: String, window: Window, status: [MemberStatus]) {
    let view = window.current
    let statusByIncarnation = Dictionary(status.map { ($0.member.incarnation, $0) }) { $1 }
    let shares = Dictionary(uniqueKeysWithValues: zip(view.ring.members.map(\.id), view.ring.shares()))
    let onRing = Self.incarnationsOnRing(view)
    self.cluster = cluster
    version = view.stamp.version
    digest = String(view.stamp.digest, radix: 16)
    settledVersion = window.settled.stamp.version
    members = view.members
      .map { member in
        let share = onRing.contains(member.incarnation) ? shares[member.podID] ?? 0 : 0
        return MemberReport(member, share: share, status: statusByIncarnation[member.incarnation])
      }
      .sorted { ($0.id, $0.incarnation) < ($1.id, $1.incarnation) }
  }

  /// Of two active processes with one pod id only the later has the pod's part of the ring.
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
    members = []
  }
}

public struct MemberReport: Sendable, Hashable, Encodable {
  public let id: String
  public let incarnation: UInt64
  public let state: String
  public let weight: Int
  public let zone: String
  /// Part of the key space, 0 to 1; those of all members add up to 1.
  public let share: Double
  /// As of the member's last renewal.
  public let sessions: Int
  /// Sessions of the users it owns that are known to be elsewhere, as of its last renewal.
  public let strays: Int
  /// Until the lease ends; 0 when it has.
  public let leaseSeconds: Double
  public let endpoint: String
  public let peerEndpoint: String

  init(_ member: Member, share: Double, status: MemberStatus?) {
    id = member.podID
    incarnation = member.incarnation.rawValue
    state = member.state.rawValue
    weight = member.description.weight
    zone = member.description.zone
    self.share = share
    sessions = status?.load.sessions ?? 0
    strays = status?.load.strays ?? 0
    leaseSeconds = max(0, status.map { Double($0.leaseLeft / .milliseconds(1)) / 1_000 } ?? 0)
    endpoint = member.description.endpoint
    peerEndpoint = member.description.peerEndpoint
  }
}
