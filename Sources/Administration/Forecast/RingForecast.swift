internal import HashRing
public import Placement

/// What `pushring ring simulate` shows: what a change of the ring would do to the sessions that are live now.
public struct RingForecast: Sendable, Hashable, Encodable {
  public struct Pod: Sendable, Hashable, Encodable {
    public let id: String
    /// 0: not in the ring.
    public let weightBefore: Int
    public let weightAfter: Int
    /// Part of the key space, 0 to 1.
    public let shareBefore: Double
    public let shareAfter: Double
    /// Live on it now.
    public let sessions: Int
    /// Once all sessions are where they belong.
    public let sessionsAfter: Int
    /// Sessions at which it is full; 0: no limit, or not known yet.
    public let limit: Int
    public let isBeyondLimit: Bool
  }

  /// Keys that change their owner.
  public struct Movement: Sendable, Hashable, Encodable {
    /// Empty: the ring was empty.
    public let from: String
    public let to: String
    /// Of all keys, 0 to 1.
    public let share: Double
  }

  /// Sessions that live on one pod and would belong on another.
  public struct Flow: Sendable, Hashable, Encodable {
    public let from: String
    public let to: String
    public let sessions: Int
    /// Of these, those whose clients can move without a gap.
    public let movable: Int
  }

  /// How even a ring is: the fullest member's part over its fair part, which is by weight.
  public struct Balance: Sendable, Hashable, Encodable {
    public let shares: Double
    public let sessions: Double
  }

  /// What one pod said it holds, by who owns it.
  public struct Holding: Sendable, Hashable {
    public let podID: String
    public let limit: Int
    /// By owner now, and by owner after the change.
    public let now: [String: Count]
    public let then: [String: Count]

    public struct Count: Sendable, Hashable {
      public let sessions: Int
      public let movable: Int

      public init(sessions: Int, movable: Int) {
        self.sessions = sessions
        self.movable = movable
      }
    }

    public init(podID: String, limit: Int, now: [String: Count], then: [String: Count]) {
      self.podID = podID
      self.limit = limit
      self.now = now
      self.then = then
    }

    var sessions: Int { now.values.reduce(0) { $0 + $1.sessions } }
  }

  public let cluster: String
  /// Of the view that it starts from.
  public let version: UInt64
  public let changes: [String]
  public let pods: [Pod]
  public let movement: [Movement]
  /// Of all keys, 0 to 1.
  public let movedShare: Double
  public let flows: [Flow]
  /// Sessions that would connect elsewhere.
  public let reconnects: Int
  /// Sessions that are astray already: they are among the reconnects, unless the change makes them right.
  public let straysNow: Int
  public let balanceBefore: Balance
  public let balanceAfter: Balance
  public let silent: [Fleet.Silence]

  /// - Parameter weights: by pod id, of the ring after the change.
  /// - Throws: when a weight is out of bounds.
  public init(
    cluster: String, view: View, change: RingChange, weights: [String: Int], holdings: [Holding],
    silent: [Fleet.Silence]
  ) throws(RingChangeError) {
    let before = view.ring
    let after: HashRing
    do {
      after = try HashRing(
        members: weights.map { RingMember(id: $0, weight: $1) }, tokensPerWeight: before.tokensPerWeight,
        shareCap: before.shareCap, reusing: before)
    } catch {
      throw RingChangeError(message: error.message)
    }
    self.cluster = cluster
    version = view.stamp.version
    changes = change.lines
    self.silent = silent
    pods = Self.pods(before, after, holdings)
    movement = before.movement(to: after).map { Movement(from: $0.from ?? "", to: $0.to ?? "", share: $0.share) }
    movedShare = movement.reduce(0) { $0 + $1.share }
    flows = Self.flows(holdings)
    reconnects = flows.reduce(0) { $0 + $1.sessions }
    straysNow = holdings.reduce(0) { sum, holding in
      holding.now.reduce(sum) { $1.key == holding.podID || $1.key.isEmpty ? $0 : $0 + $1.value.sessions }
    }
    balanceBefore = Self.balance(pods, weight: \.weightBefore, share: \.shareBefore, sessions: \.sessions)
    balanceAfter = Self.balance(pods, weight: \.weightAfter, share: \.shareAfter, sessions: \.sessionsAfter)
  }

  private static func pods(_ before: HashRing, _ after: HashRing, _ holdings: [Holding]) -> [Pod] {
    let (old, new) = (places(before), places(after))
    var limits: [String: Int] = [:]
    var sessions: [String: Int] = [:]
    var sessionsAfter: [String: Int] = [:]
    // Two processes of one pod id are one pod here.
    for holding in holdings {
      limits[holding.podID] = holding.limit
      sessions[holding.podID, default: 0] += holding.sessions
      for (owner, count) in holding.then { sessionsAfter[owner, default: 0] += count.sessions }
    }
    return Set(old.keys).union(new.keys).union(sessions.keys).sorted().map { id in
      let limit = limits[id] ?? 0
      let after = sessionsAfter[id] ?? 0
      return Pod(
        id: id, weightBefore: old[id]?.weight ?? 0, weightAfter: new[id]?.weight ?? 0, shareBefore: old[id]?.share ?? 0,
        shareAfter: new[id]?.share ?? 0, sessions: sessions[id] ?? 0, sessionsAfter: after, limit: limit,
        isBeyondLimit: limit > 0 && after > limit)
    }
  }

  private static func places(_ ring: HashRing) -> [String: (weight: Int, share: Double)] {
    Dictionary(uniqueKeysWithValues: zip(ring.members, ring.shares()).map { ($0.id, ($0.weight, $1)) })
  }

  private static func flows(_ holdings: [Holding]) -> [Flow] {
    var counts: [[String]: (sessions: Int, movable: Int)] = [:]
    for holding in holdings {
      for (owner, count) in holding.then where owner != holding.podID && !owner.isEmpty && count.sessions > 0 {
        counts[[holding.podID, owner], default: (0, 0)].sessions += count.sessions
        counts[[holding.podID, owner], default: (0, 0)].movable += count.movable
      }
    }
    return counts.map { Flow(from: $0[0], to: $0[1], sessions: $1.sessions, movable: $1.movable) }
      .sorted { ($1.sessions, $0.from, $0.to) < ($0.sessions, $1.from, $1.to) }
  }

  private static func balance(
    _ pods: [Pod], weight: (Pod) -> Int, share: (Pod) -> Double, sessions: (Pod) -> Int
  ) -> Balance {
    let onRing = pods.filter { weight($0) > 0 }
    let total = Double(onRing.reduce(0) { $0 + weight($1) })
    let all = Double(onRing.reduce(0) { $0 + sessions($1) })
    guard total > 0 else { return Balance(shares: 0, sessions: 0) }
    func most(_ part: (Pod) -> Double) -> Double { onRing.map { part($0) / (Double(weight($0)) / total) }.max() ?? 0 }
    return Balance(shares: most(share), sessions: all > 0 ? most { Double(sessions($0)) / all } : 0)
  }
}
