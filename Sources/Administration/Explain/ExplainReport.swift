internal import HashRing
internal import Placement
internal import RedisDirectory
internal import Sessions

/// What `pushring ring explain USER` shows: where a user's sessions should be, where they are by all accounts, what a push
/// would do, and in what the accounts differ.
public struct ExplainReport: Sendable, Hashable, Encodable {
  /// One of the ring's tokens around the user's hash.
  public struct Neighbour: Sendable, Hashable, Encodable {
    /// Hexadecimal, 16 digits.
    public let token: String
    public let pod: String
    /// False: before the hash. The first one after it has the user, unless shares are capped.
    public let isAfter: Bool
  }

  public struct Held: Sendable, Hashable, Encodable {
    public let pod: String
    public let incarnation: UInt64
    public let session: String
    public let epoch: UInt64
    /// Its client can move.
    public let moves: Bool
    public let queuedBytes: Int
    public let labels: [String: String]
    /// Not welcomed yet.
    public let isWaiting: Bool
  }

  /// What a pod says of its right to answer for the user.
  public struct Knowledge: Sendable, Hashable, Encodable {
    public let pod: String
    public let incarnation: UInt64
    public let hasLease: Bool
    /// It would say that it has all of the user's sessions.
    public let vouches: Bool
    public let strays: [Stray]
    /// The view that it goes by.
    public let version: UInt64
  }

  public struct Stray: Sendable, Hashable, Encodable {
    /// Empty when it is no member.
    public let pod: String
    public let incarnation: UInt64
  }

  /// Of two accounts.
  public struct Disagreement: Sendable, Hashable, Encodable {
    /// As of `Finding.Kind`, or: owner-claims-wrongly, owner-has-no-lease, view-behind, pod-silent.
    public let kind: String
    public let detail: String
  }

  public let cluster: String
  public let version: UInt64
  public let settledVersion: UInt64
  /// Owner and successors by the current view.
  public let place: OwnerReport
  /// Why the owner is it.
  public let reason: String
  public let neighbours: [Neighbour]
  public let records: [SessionsReport.Row]
  /// False: the registry is recovering from a loss of data, or could not read its records.
  public let recordsAreAll: Bool
  public let held: [Held]
  /// The owner first.
  public let knowledge: [Knowledge]
  public let push: PushTrace
  public internal(set) var disagreements: [Disagreement]
  public let silent: [Fleet.Silence]

  public init(cluster: String, _ facts: UserFacts) {
    let view = facts.window.current
    let hash = keyHash(facts.user.text.utf8)
    let owner = view.owner(ofUserHash: hash)
    let around = view.ring.neighbours(of: hash, before: 2, after: 3)
    self.cluster = cluster
    version = view.stamp.version
    settledVersion = facts.window.settled.stamp.version
    place = OwnerReport(user: facts.user, view: view)
    neighbours =
      around.before.map { Neighbour(token: hexadecimal($0.position), pod: $0.member.id, isAfter: false) }
      + around.after.map { Neighbour(token: hexadecimal($0.position), pod: $0.member.id, isAfter: true) }
    reason = Self.reason(owner: owner, first: around.after.first, view)
    records = SessionsReport(user: facts.user, records: facts.records ?? [], view: view).sessions
    recordsAreAll = facts.recordsAreAll
    held = facts.pods.flatMap { pod in pod.sessions.map { Held(pod.member, $0) } }
    knowledge =
      facts.pods.filter { $0.member == owner || !$0.strays.isEmpty || !$0.sessions.isEmpty }
      .map { Knowledge($0, view) }
      .sorted {
        ($0.incarnation != owner?.incarnation.rawValue ? 1 : 0)
          < ($1.incarnation != owner?.incarnation.rawValue ? 1 : 0)
      }
    push = PushTrace(facts)
    silent = facts.silent
    disagreements = facts.disagreements(owner: owner)
  }

  /// Sessions move while one looks: what was seen only once is no disagreement.
  public func confirming(_ earlier: ExplainReport) -> ExplainReport {
    var report = self
    report.disagreements = disagreements.filter(earlier.disagreements.contains)
    return report
  }

  private static func reason(owner: Member?, first: RingToken?, _ view: View) -> String {
    guard let owner, let first else { return "no member is active, so nobody owns the user" }
    let token = "the first token at or after the hash, \(hexadecimal(first.position)), is of \(first.member.id)"
    guard first.member.id != owner.podID else { return token }
    return token + ", which has as much as the cap on shares allows; \(owner.podID) is the next that has room"
  }
}

extension ExplainReport.Held {
  fileprivate init(_ member: Member, _ held: UserFacts.Held) {
    self.init(
      pod: member.podID, incarnation: member.incarnation.rawValue, session: held.session.text,
      epoch: held.epoch.rawValue, moves: held.moves, queuedBytes: held.queuedBytes, labels: held.labels,
      isWaiting: held.isWaiting)
  }
}

extension ExplainReport.Knowledge {
  fileprivate init(_ pod: UserFacts.Pod, _ view: View) {
    self.init(
      pod: pod.member.podID, incarnation: pod.member.incarnation.rawValue, hasLease: pod.hasLease, vouches: pod.vouches,
      strays: pod.strays.map { .init(pod: view.member($0)?.podID ?? "", incarnation: $0.rawValue) },
      version: pod.stamps.current.version)
  }
}

extension UserFacts {
  /// What an audit of this user finds, and in what the owner's word differs from what the others hold.
  fileprivate func disagreements(owner: Member?) -> [ExplainReport.Disagreement] {
    var look = AuditLook(window: window, departed: [], orders: Orders())
    look.indexesAreKnown = false
    let hash = keyHash(user.text.utf8)
    for pod in pods {
      look.answered(pod.member)
      for held in pod.sessions {
        look.holds(
          SessionKey(user: user, session: held.session), epoch: held.epoch, at: pod.member.incarnation,
          isWaiting: held.isWaiting)
      }
      for reporter in pod.strays { look.recordedStray(userHash: hash, reporter: reporter, at: pod.member.incarnation) }
    }
    var part = StoredPart()
    part.records = records ?? []
    look.stored(part)
    var found: [ExplainReport.Disagreement] = []
    if !recordsError.isEmpty { found.append(.init(kind: Finding.Kind.recordUnreadable.rawValue, detail: recordsError)) }
    // Without records nothing can be said of them.
    let isReadable = records != nil
    found += look.findings(latest: window.current)
      .filter { isReadable || $0.kind == .strayMissing || $0.kind == .strayWrong || $0.kind == .sessionDoubled }
      .map {
        .init(kind: $0.kind.rawValue, detail: $0.session.isEmpty ? $0.detail : "session \($0.session): \($0.detail)")
      }
    return found + disagreements(ofOwner: owner)
      + pods.filter { $0.stamps.current != window.current.stamp }.map {
        .init(
          kind: "view-behind",
          detail: "\($0.member.podID) goes by view \($0.stamps.current.version), and the registry is at "
            + "\(window.current.stamp.version)")
      }
  }

  private func disagreements(ofOwner owner: Member?) -> [ExplainReport.Disagreement] {
    guard let owner else { return [] }
    guard let pod = pod(owner.incarnation) else {
      return [.init(kind: "pod-silent", detail: "\(owner.podID), the owner, does not answer: pushes go by the records")]
    }
    var found: [ExplainReport.Disagreement] = []
    if !pod.hasLease {
      found.append(
        .init(
          kind: "owner-has-no-lease",
          detail: "\(owner.podID) is the owner, and its own lease is over: it vouches for nothing until it is renewed"))
    }
    let elsewhere = pods.filter { $0.member != owner && $0.sessions.contains { !$0.isWaiting } }.map(\.member.podID)
    if pod.vouches, !elsewhere.isEmpty {
      found.append(
        .init(
          kind: "owner-claims-wrongly",
          detail: "\(owner.podID) says that it has all sessions, and there are some on "
            + elsewhere.sorted().joined(separator: ", ")))
    }
    return found
  }
}
