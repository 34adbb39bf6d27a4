public import HashRing

/// Names a view: number and digest together, because after a loss of data in Redis a number may be given again.
public struct ViewStamp: Hashable, Sendable, CustomStringConvertible {
  public let version: UInt64
  /// Chained over all earlier views.
  public let digest: UInt64

  public init(version: UInt64, digest: UInt64) {
    self.version = version
    self.digest = digest
  }

  /// No view at all: what a side that has not seen any carries.
  public static let none = ViewStamp(version: 0, digest: 0)

  public var description: String { "\(version)/\(String(digest, radix: 16))" }
}

/// A numbered, immutable list of members and the ring of those that are active.
public struct View: Hashable, Sendable {
  public let stamp: ViewStamp
  /// Ordered by incarnation; members in grace among them, told apart by their state.
  public let members: [Member]
  /// The active members by pod id. Of two active processes with one pod id only the larger incarnation is here.
  public let ring: HashRing
  /// The largest incarnation that the registry had given when the view was made, of a member or not.
  public let newest: Incarnation
  /// In the order of the ring's members.
  private let owners: [Member]
  /// Active members are in more than one zone.
  private let hasZones: Bool

  /// - Throws: `HashRingError` when a member's weight or the number of tokens is out of bounds.
  /// - Parameters:
  ///   - newest: nil: that of the members.
  ///   - previous: a view that is like this one, whose ring then costs little.
  public init(
    stamp: ViewStamp, members: [Member], tokensPerWeight: Int = HashRing.defaultTokensPerWeight,
    shareCap: ShareCap? = nil, newest: Incarnation? = nil, reusing previous: View? = nil
  ) throws(HashRingError) {
    self.stamp = stamp
    self.members = members.sorted { $0.incarnation < $1.incarnation }
    var active: [String: Member] = [:]
    // In order of incarnation, so that a later process of the same pod id replaces the earlier one.
    for member in self.members where member.state == .active {
      active[member.podID] = member
    }
    hasZones = Set(active.values.map(\.description.zone)).count > 1
    self.newest = max(newest ?? Incarnation(rawValue: 0), self.members.last?.incarnation ?? Incarnation(rawValue: 0))
    ring = try HashRing(
      members: active.values.map { RingMember(id: $0.podID, weight: $0.description.weight) },
      tokensPerWeight: tokensPerWeight, shareCap: shareCap, reusing: previous?.ring)
    owners = ring.members.compactMap { active[$0.id] }
  }

  /// The first active member at or after the user's hash, or with capped shares the first that has room; nil when no
  /// member is active.
  public func owner(ofUserHash hash: UInt64) -> Member? {
    ring.ownerIndex(of: hash).map { owners[$0] }
  }

  /// Up to `count` distinct active members: where a client of this user goes, in this order.
  ///
  /// First the owner, then who owns the user once the owner is gone, so that the loss of one pod makes no strays. The
  /// others prefer zones that are not named yet: when a zone is lost, one of them is in another, if there is any.
  public func successors(ofUserHash hash: UInt64, count: Int) -> [Member] {
    let looked = hasZones && count > 2 ? max(count, Self.zoneSearch) : count
    let inOrder = ring.successorIndices(of: hash, count: looked).map { owners[$0] }
    guard inOrder.count > count else { return inOrder }
    var named = Array(inOrder.prefix(2))
    var rest = Array(inOrder.dropFirst(2))
    while named.count < count {
      let zones = Set(named.map(\.description.zone))
      named.append(rest.remove(at: rest.firstIndex { !zones.contains($0.description.zone) } ?? 0))
    }
    return named
  }

  /// How many members are looked through for other zones.
  private static let zoneSearch = 16

  /// The members without those of one pod, as a view of its own that nobody published: for asking "what if".
  public func without(podID: String) throws(HashRingError) -> View {
    try View(
      stamp: .none, members: members.filter { $0.podID != podID }, tokensPerWeight: ring.tokensPerWeight,
      shareCap: ring.shareCap, newest: newest, reusing: self)
  }

  /// By halving: looked up for each user when a view changes.
  public func member(_ incarnation: Incarnation) -> Member? {
    var low = 0
    var high = members.count
    while low < high {
      let middle = (low + high) / 2
      if members[middle].incarnation < incarnation { low = middle + 1 } else { high = middle }
    }
    return low < members.count && members[low].incarnation == incarnation ? members[low] : nil
  }
}

/// The settled and the current view: what every member and Sender goes by.
public struct Window: Hashable, Sendable {
  /// The newest view that every member, also those in grace, acknowledged while it was current.
  public let settled: View
  public let current: View

  public init(settled: View, current: View) {
    self.settled = settled
    self.current = current
  }
}
