public import Placement

/// What a rebalance would do, by what the pods hold: looked at, saved, applied while the view is still the same.
public struct RebalancePlan: Hashable, Sendable, Codable {
  public let cluster: String
  /// Of the view that it was made for.
  public let version: UInt64
  /// Of that view, hexadecimal.
  public let digest: String
  public var parameters: RebalanceParameters
  /// By pod id.
  public let pods: [Pod]
  /// The largest first.
  public let flows: [Flow]
  /// Members that did not say what they hold: what is there is not in the plan.
  public let silent: [String]

  public struct Pod: Hashable, Sendable, Codable {
    public let id: String
    public let incarnation: UInt64
    public let sessions: Int
    /// Once the plan is carried out.
    public internal(set) var after: Int
    /// Sessions at which it is full; 0: no limit.
    public let limit: Int
  }

  /// Sessions on one pod that belong on another.
  public struct Flow: Hashable, Sendable, Codable {
    public let from: String
    public let to: String
    /// That will be asked to move.
    public internal(set) var planned: Int
    /// That stay: for each a reason.
    public internal(set) var staying: [Staying]
    /// Why they are astray, all of them.
    public let causes: [Cause]
  }

  public struct Staying: Hashable, Sendable, Codable {
    public let reason: StayReason
    public let sessions: Int

    public init(reason: StayReason, sessions: Int) {
      self.reason = reason
      self.sessions = sessions
    }
  }

  public enum StayReason: String, Hashable, Sendable, Codable {
    /// Their clients say that they can't move; --force ends their streams.
    case clientCannotMove = "client-cannot-move"
    /// The owner holds as many sessions as it may.
    case ownerFull = "owner-full"
    /// Beyond --max-moves.
    case beyondLimit = "beyond-limit"
    /// Not on the pod, or of the user, that was asked for.
    case notAskedFor = "not-asked-for"
  }

  public struct Cause: Hashable, Sendable, Codable {
    public let cause: StrayCause
    public let sessions: Int

    public init(cause: StrayCause, sessions: Int) {
      self.cause = cause
      self.sessions = sessions
    }
  }

  public enum StrayCause: String, Hashable, Sendable, Codable {
    /// They connected before the owner's process joined, or came back into the ring.
    case ringChanged = "ring-changed"
    /// They connected here while another pod owned them: it was full, refused or could not be reached, or the client chose.
    case connectedElsewhere = "connected-elsewhere"
    /// The pod that has them is out of the ring.
    case podOutOfRing = "pod-out-of-ring"
  }

  /// What one pod said of its sessions, by owner.
  public struct Holding: Hashable, Sendable {
    public let member: Member
    public let limit: Int
    public let owners: [Owner]

    public struct Owner: Hashable, Sendable {
      public let podID: String
      public let sessions: Int
      public let movable: Int
      public let olderThanOwner: Int

      public init(podID: String, sessions: Int, movable: Int, olderThanOwner: Int) {
        self.podID = podID
        self.sessions = sessions
        self.movable = movable
        self.olderThanOwner = olderThanOwner
      }
    }

    public init(member: Member, limit: Int, owners: [Owner]) {
      self.member = member
      self.limit = limit
      self.owners = owners
    }

    public var sessions: Int { owners.reduce(0) { $0 + $1.sessions } }
  }

  /// - Parameters:
  ///   - holdings: of the members that answered.
  ///   - silent: the pod ids of those that did not.
  public init(
    cluster: String, view: View, holdings: [Holding], silent: [String], parameters: RebalanceParameters
  ) {
    self.cluster = cluster
    version = view.stamp.version
    digest = String(view.stamp.digest, radix: 16)
    self.parameters = parameters
    self.silent = silent.sorted()
    var pods = Dictionary(
      holdings.map { holding in
        (
          holding.member.podID,
          Pod(
            id: holding.member.podID, incarnation: holding.member.incarnation.rawValue, sessions: holding.sessions,
            after: holding.sessions, limit: holding.limit)
        )
      }
    ) { $0.incarnation > $1.incarnation ? $0 : $1 }
    var flows: [Flow] = []
    for holding in holdings {
      for owner in holding.owners
      where owner.podID != holding.member.podID && !owner.podID.isEmpty && owner.sessions > 0 {
        flows.append(Flow(holding, owner))
      }
    }
    // Large flows first, so that a limit on moves ends few of them in the middle.
    flows.sort { ($1.planned, $0.from, $0.to) < ($0.planned, $1.from, $1.to) }
    var left = parameters.maximumMoves ?? .max
    for index in flows.indices {
      flows[index].plan(parameters, room: pods[flows[index].to]?.room, left: &left)
      pods[flows[index].from]?.after -= flows[index].planned
      pods[flows[index].to]?.after += flows[index].planned
    }
    self.pods = pods.values.sorted { $0.id < $1.id }
    self.flows = flows.sorted { ($1.planned, $0.from, $0.to) < ($0.planned, $1.from, $1.to) }
  }

  /// Sessions that will be asked to move.
  public var planned: Int { flows.reduce(0) { $0 + $1.planned } }

  public var strays: Int { flows.reduce(0) { $0 + $1.strays } }

  /// By incarnation, of those that sessions will leave.
  public var sources: [(incarnation: Incarnation, planned: Int)] {
    pods.compactMap { pod in
      let planned = flows.filter { $0.from == pod.id }.reduce(0) { $0 + $1.planned }
      return planned > 0 ? (Incarnation(rawValue: pod.incarnation), planned) : nil
    }
  }

  /// Moves a second, and with them reconnects.
  public var reconnectsPerSecond: Double { planned == 0 ? 0 : min(parameters.rate, Double(planned)) }

  /// At the rate given; targets that grant less make it longer.
  public var expectedSeconds: Double { Double(planned) / max(parameters.rate, 0.001) }
}

extension RebalancePlan {
  /// Whether it can be carried out in the view that it was made for: a file may say anything.
  public func check(in view: View) throws(InvalidRebalance) {
    try parameters.check()
    for pod in pods where view.member(Incarnation(rawValue: pod.incarnation))?.podID != pod.id {
      throw InvalidRebalance("it has a pod \(pod.id) of incarnation \(pod.incarnation), which its view does not have")
    }
    for flow in flows {
      let isKnown = pods.contains { $0.id == flow.from } && view.members.contains { $0.podID == flow.to }
      guard isKnown, flow.planned >= 0 else {
        throw InvalidRebalance("it moves \(flow.planned) sessions from \(flow.from) to \(flow.to)")
      }
    }
    for pod in pods {
      let leaving = flows.lazy.filter { $0.from == pod.id }.reduce(0) {
        $0.addingReportingOverflow($1.planned).partialValue
      }
      guard (0...max(0, pod.sessions)).contains(leaving) else {
        throw InvalidRebalance("it moves \(leaving) sessions away from \(pod.id), which had \(pod.sessions)")
      }
    }
  }
}

extension RebalancePlan.Pod {
  /// Nil without a limit.
  fileprivate var room: Int? { limit > 0 ? max(0, limit - after) : nil }
}

extension RebalancePlan.Flow {
  public var strays: Int { planned + staying.reduce(0) { $0 + $1.sessions } }

  fileprivate init(_ holding: RebalancePlan.Holding, _ owner: RebalancePlan.Holding.Owner) {
    from = holding.member.podID
    to = owner.podID
    planned = owner.movable
    let immovable = owner.sessions - owner.movable
    staying = immovable > 0 ? [.init(reason: .clientCannotMove, sessions: immovable)] : []
    guard holding.member.state == .active else {
      causes = [.init(cause: .podOutOfRing, sessions: owner.sessions)]
      return
    }
    causes = [
      .init(cause: .ringChanged, sessions: owner.olderThanOwner),
      .init(cause: .connectedElsewhere, sessions: owner.sessions - owner.olderThanOwner),
    ].filter { $0.sessions > 0 }
  }

  fileprivate mutating func plan(_ parameters: RebalanceParameters, room: Int?, left: inout Int) {
    if parameters.force { planned += staying.reduce(0) { $0 + $1.sessions } }
    if parameters.force { staying = [] }
    if let only = parameters.podID, only != from { stay(planned, .notAskedFor) }
    if let room, planned > room { stay(planned - room, .ownerFull) }
    if planned > left { stay(planned - left, .beyondLimit) }
    left -= planned
  }

  private mutating func stay(_ sessions: Int, _ reason: RebalancePlan.StayReason) {
    guard sessions > 0 else { return }
    planned -= sessions
    staying.append(.init(reason: reason, sessions: sessions))
  }
}
