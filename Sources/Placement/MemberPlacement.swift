/// The member's side of the placement protocol: which sessions it may welcome, which views it may acknowledge, and for
/// which users it may say "complete".
///
/// The rules (Docs/placement.md has the reasons, and `Docs/model` a model of them that is checked):
///
/// - **R1, admit**: `admission(ofUserHash:now:)`. A session is welcomed only while the lease is valid, and when every
///   other member that owns the user in either view of the window has recorded the stray, or is out of the current view.
/// - **R2, acknowledge**: `viewToAcknowledge`. Only the current view, when the owners in it know of every session here
///   that is not theirs to hold.
/// - **R3, claim**: `claim(forUserHash:now:)`. "Complete" only with a valid lease, as the owner in both views of the
///   window, and with no stray recorded.
/// - **R4, lease and grace**: `leaseExtended`, `resumed`. The lease is over here before it is over at the registry.
/// - **R5, forget**: `record`, `windowChanged`. A stray is forgotten when its reporter retracts it, in its order, or when
///   its reporter is gone.
///
/// An event goes in with the time of the caller's clock, which must count suspension; what is to be done comes out. After
/// any event that says `changed`, ask again: `nextReport` for each of `ownersToTell`, `viewToAcknowledge`, and the
/// admissions that wait.
///
/// Counts are of users, by the 64-bit hash: two users of one hash are one here, which only costs reads of the registry.
public struct MemberPlacement: Sendable {
  public let incarnation: Incarnation
  /// Never goes back, whatever a registry that lost its data says.
  public private(set) var window: Window
  private var leaseEnds: Duration
  /// Until then nobody is welcomed: claims from before the registry lost its data may still hold.
  private var admitsFrom: Duration
  /// The views of the window from before a resume, and until when claims by them may hold.
  private var carried: (views: [View], until: Duration)?
  /// The version at which this incarnation joined or last resumed: older views give it nothing.
  private var since: UInt64
  /// User → streams that are open or about to be welcomed.
  private var held: [UInt64: Int] = [:]
  private var reports: [Incarnation: StrayReports] = [:]
  private var lastSeries: UInt64 = 0
  /// Owners that were told of users, and that a view was without since: a registry that lost data may bring them back.
  private var goneOwners: Set<Incarnation> = []
  private var ledger = StrayLedger()
  /// Incarnations whose process is proven gone: their address refuses connections, or another process answers there.
  private var provenGone: Set<Incarnation> = []
  /// By owner: the last entry that the current view's acknowledgement waits for.
  private var acknowledgementWaits: [Incarnation: UInt64] = [:]
  private var acknowledged: ViewStamp?
  private var confirmedOutageEnds: Duration?
  /// When an outage was last confirmed: until then nobody can have begun to count this member's grace.
  private var lastOutage: Duration?

  /// - Parameters:
  ///   - window: has this incarnation in its current view.
  ///   - leaseEnds: measured from before the call that granted it, less the margin for drift (`ownLease`).
  ///   - admitsFrom: later than now when the registry is recovering from a loss of data.
  public init(incarnation: Incarnation, window: Window, leaseEnds: Duration, admitsFrom: Duration) {
    self.incarnation = incarnation
    self.window = window
    self.leaseEnds = leaseEnds
    self.admitsFrom = admitsFrom
    since = window.current.member(incarnation)?.since ?? .max
  }

  /// What a member may count on of a lease: clocks of two machines run apart by less than a hundredth.
  public static func ownLease(_ lease: Duration) -> Duration { lease * 99 / 100 }

  /// Whether sessions may be admitted at all.
  public func mayAdmit(now: Duration) -> Bool {
    now >= admitsFrom && (hasLease(now: now) || isOutageConfirmed(now: now))
  }

  /// Every member that a session here may have to be reported to.
  public var knownIncarnations: Set<Incarnation> {
    ([window.current, window.settled] + (carried?.views ?? [])).reduce(into: []) { known, view in
      known.formUnion(view.members.lazy.map(\.incarnation))
    }
  }

  public func knownMember(_ incarnation: Incarnation) -> Member? {
    for view in [window.current, window.settled] + (carried?.views ?? []) {
      if let member = view.member(incarnation) { return member }
    }
    return nil
  }

  /// Proven gone, and still in the current view.
  public var provenGoneMembers: [Incarnation] { provenGone.filter { window.current.member($0) != nil }.sorted() }

  public func hasLease(now: Duration) -> Bool { now < leaseEnds }

  public var leaseEnd: Duration { leaseEnds }
}

// MARK: - R4: lease, view, resume

extension MemberPlacement {
  public mutating func leaseExtended(until end: Duration) {
    leaseEnds = max(leaseEnds, end)
    confirmedOutageEnds = nil
  }

  /// The same incarnation is back in the view, after its lease ended or the registry lost its data.
  /// - Parameter claimsEnd: until then a member that has not resumed yet may still claim by views of before: one lease
  ///   from now.
  public mutating func resumed(_ window: Window, leaseEnds: Duration, claimsEnd: Duration) {
    carry(until: claimsEnd)
    advance(to: window, claimsEnd: claimsEnd)
    self.leaseEnds = leaseEnds
    confirmedOutageEnds = nil
    // The owners may have forgotten this incarnation meanwhile: what they had recorded is told again.
    for owner in Array(reports.keys) {
      let series = nextSeries()
      reports[owner]?.restart(series: series)
    }
    prepareAcknowledgement()
  }

  public enum OnChange: Hashable, Sendable {
    case nothing
    case changed
  }

  /// What follows a view, e.g. a subscription, has a newer window. One that does not list this incarnation says that it
  /// was removed: its lease is over, or the registry has lost its data; renewing tells which.
  /// - Parameter claimsEnd: one lease from now: by then claims are over of members whose leases a registry has voided that
  ///   lost its data.
  public mutating func windowChanged(_ window: Window, claimsEnd: Duration) -> OnChange {
    let before = self.window.stamps
    advance(to: window, claimsEnd: claimsEnd)
    return self.window.stamps == before ? .nothing : .changed
  }

  /// To be called now and then: what views of before a resume asked for is given up when their time is over.
  public mutating func timePassed(now: Duration) -> OnChange {
    guard let carried, now >= carried.until else { return .nothing }
    self.carried = nil
    retractUnneeded()
    return .changed
  }

  private mutating func advance(to new: Window, claimsEnd: Duration) {
    let current = new.current.stamp
    // A registry that lost its data counts from below, until somebody resumes who knows how far the views had got.
    guard current.version >= window.current.stamp.version, new.stamps != window.stamps, !new.isOlder(than: window)
    else { return }
    // Made before this incarnation was given: read from the registry before it lost its data, whatever its number.
    guard new.current.newest >= incarnation else { return }
    // Nothing has settled that it knows of: it is new, or it has lost its data, and then members in grace, or that it does
    // not list, may still have a lease by their own clocks, and claim by the views of before.
    if new.settled.stamp.version < window.settled.stamp.version || new.settled.stamp == .none {
      carry(until: claimsEnd)
    }
    let isOtherView = current != window.current.stamp
    window = new
    guard isOtherView else { return retractUnneeded() }
    since = new.current.member(incarnation)?.since ?? .max
    forgetTheGone()
    for owner in goneOwners where new.current.member(owner) != nil {
      goneOwners.remove(owner)
      reports[owner] = StrayReports(owner: owner, series: nextSeries(), mustStartOver: true)
    }
    prepareAcknowledgement()
  }

  private mutating func carry(until end: Duration) {
    var views = carried?.views ?? []
    for view in [window.settled, window.current] where !views.contains(where: { $0.stamp == view.stamp }) {
      views.append(view)
    }
    carried = (views, max(carried?.until ?? end, end))
  }

  private static let rememberedOwners = 1_000

  /// R5: an incarnation that the view knows of no more has left, or is past its grace.
  private mutating func forgetTheGone() {
    let view = window.current
    for reporter in ledger.reporting where view.standing(of: reporter) == .void { ledger.forget(reporter) }
    for owner in Array(reports.keys) where view.standing(of: owner) == .void {
      reports[owner] = nil
      goneOwners.insert(owner)
    }
    while goneOwners.count > Self.rememberedOwners, let oldest = goneOwners.min() { goneOwners.remove(oldest) }
    provenGone = provenGone.filter { view.standing(of: $0) != .void }
  }
}

// MARK: - Sessions here

extension MemberPlacement {
  /// A client said Hello: its user's owners are to know before it is welcomed. Every call needs its `sessionEnded`.
  public mutating func sessionArriving(userHash: UInt64) {
    held[userHash, default: 0] += 1
    tellOwners(userHash)
  }

  /// The stream is gone, or was never welcomed.
  public mutating func sessionEnded(userHash: UInt64) {
    guard let count = held[userHash] else { return }
    guard count == 1 else {
      held[userHash] = count - 1
      return
    }
    held[userHash] = nil
    for owner in Array(reports.keys) { reports[owner]?.retract(userHash) }
  }

  /// How many users have sessions here.
  public var userCount: Int { held.count }

  private mutating func tellOwners(_ userHash: UInt64) {
    for owner in ownersToKnow(of: userHash) { tell(owner, userHash) }
  }

  private mutating func tell(_ owner: Incarnation, _ userHash: UInt64) {
    if reports[owner] == nil { reports[owner] = StrayReports(owner: owner, series: nextSeries()) }
    reports[owner]?.report(userHash)
  }

  private mutating func nextSeries() -> UInt64 {
    lastSeries += 1
    return lastSeries
  }

  /// The other members that own the user in a view by which somebody may claim now.
  private func ownersToKnow(of userHash: UInt64) -> [Incarnation] {
    var owners: [Incarnation] = []
    func add(_ view: View) {
      guard let owner = view.owner(ofUserHash: userHash)?.incarnation, owner != incarnation else { return }
      // One that is no member any more can't claim, except by views of before a loss of data.
      guard carried != nil || window.current.standing(of: owner) != .void else { return }
      if !owners.contains(owner) { owners.append(owner) }
    }
    add(window.current)
    if window.settled.stamp != window.current.stamp { add(window.settled) }
    for view in carried?.views ?? [] { add(view) }
    return owners
  }
}

// MARK: - R1: admit

extension MemberPlacement {
  public enum Admission: Hashable, Sendable {
    /// Welcome the session in this same step.
    case admitted
    /// Ask again after the next change, or at the time given.
    case waiting(until: Duration?)
    /// No lease, and no confirmed outage either: send the client elsewhere.
    case noLease
  }

  /// To be asked at the moment of the welcome; `sessionArriving` came before.
  public func admission(ofUserHash userHash: UInt64, now: Duration) -> Admission {
    guard hasLease(now: now) || isOutageConfirmed(now: now) else { return .noLease }
    guard now >= admitsFrom else { return .waiting(until: admitsFrom) }
    let mayClaimByOldViews = carried.map { now < $0.until } ?? false
    for owner in ownersToKnow(of: userHash) where !knows(owner, of: userHash) {
      // Past that time its claims are over, and its word is not needed if the current view is without it.
      guard isRemoved(owner) else { return .waiting(until: nil) }
      if mayClaimByOldViews { return .waiting(until: carried?.until) }
    }
    return .admitted
  }

  private func knows(_ owner: Incarnation, of userHash: UInt64) -> Bool {
    provenGone.contains(owner) || reports[owner]?.isRecorded(userHash) == true
  }

  /// Out of the current view, or in grace: its lease is over.
  private func isRemoved(_ owner: Incarnation) -> Bool {
    guard let member = window.current.member(owner) else { return true }
    return member.state == .grace
  }

  /// No process of this incarnation listens any more, which it does until all its streams are closed.
  public mutating func provedGone(_ incarnation: Incarnation) -> OnChange {
    guard window.current.standing(of: incarnation) != .void else { return .nothing }
    return provenGone.insert(incarnation).inserted ? .changed : .nothing
  }

  /// All members that answer say that they don't reach the registry either.
  /// - Parameters:
  ///   - asked: before they were asked.
  ///   - end: how long their word counts.
  public mutating func outageConfirmed(asked: Duration, until end: Duration) {
    confirmedOutageEnds = end
    lastOutage = asked
  }

  /// Others count the member as gone, and so its streams have to be closed. An outage that was confirmed puts that off:
  /// the registry's clock stood still in it, and one that lost its data counts everybody's grace from its return.
  public func isPastGrace(_ grace: Duration, now: Duration) -> Bool {
    now >= max(leaseEnds, lastOutage ?? leaseEnds) + grace
  }

  public mutating func outageDenied() { confirmedOutageEnds = nil }

  public func isOutageConfirmed(now: Duration) -> Bool { confirmedOutageEnds.map { now < $0 } ?? false }
}

// MARK: - R2: acknowledge

extension MemberPlacement {
  /// The current view, once it may be acknowledged; nil when that is done or must wait.
  public var viewToAcknowledge: ViewStamp? {
    let current = window.current.stamp
    guard since != .max, acknowledged != current else { return nil }
    for (owner, number) in acknowledgementWaits {
      guard reports[owner]?.isRecorded(through: number) != false || provenGone.contains(owner) else { return nil }
    }
    return current
  }

  /// The registry has taken the acknowledgement.
  public mutating func acknowledgementTaken(_ view: ViewStamp) {
    if view == window.current.stamp { acknowledged = view }
  }

  /// Tells the owners in the current view of what is theirs and here, and those that own nothing any more that they may
  /// forget.
  private mutating func prepareAcknowledgement() {
    for user in held.keys { tellOwners(user) }
    acknowledgementWaits = reports.filter { window.current.member($0.key) != nil }.mapValues(\.lastNumber)
    acknowledged = nil
    retractUnneeded()
  }

  /// Safe once an owner is none in either view: it could claim only by a later view, which does not settle before this
  /// member has acknowledged it, and told the owner anew.
  private mutating func retractUnneeded() {
    for owner in Array(reports.keys) {
      for user in reports[owner]?.reportedUsers ?? [] where !ownersToKnow(of: user).contains(owner) {
        reports[owner]?.retract(user)
      }
    }
  }
}

// MARK: - Reports

extension MemberPlacement {
  /// Owners that are to be told something. Send each one report at a time.
  public var ownersToTell: [Incarnation] {
    reports.values.filter { $0.hasWork && !provenGone.contains($0.owner) }.map(\.owner)
  }

  /// What to send to `owner` next, and again until a receipt comes; nil when there is nothing.
  public func nextReport(to owner: Incarnation, limit: Int = 4096) -> StrayReport? {
    guard let reports = reports[owner], reports.hasWork, !provenGone.contains(owner) else { return nil }
    return reports.next(reporter: incarnation, limit: limit)
  }

  public mutating func receiptReceived(_ receipt: StrayReceipt, from owner: Incarnation) -> OnChange {
    switch reports[owner]?.received(receipt) {
    case .advanced: return .changed
    case .ownerForgot:
      let series = nextSeries()
      reports[owner]?.restart(series: series)
      prepareAcknowledgement()
      return .changed
    case .nothing, nil: return .nothing
    }
  }

  /// R5, and the other half of R1: another member tells of its strays. One that the current view knows of no more is not
  /// heard, as nobody would forget for it: the receipt is of no series. If it has only just come back, we will know soon.
  public mutating func record(_ report: StrayReport) -> StrayReceipt {
    guard window.current.standing(of: report.reporter) != .void else {
      return StrayReceipt(series: 0, recordedThrough: 0)
    }
    return ledger.record(report)
  }

  /// All owners are told anew of all strays. What they have recorded beyond that stays: see `retractWrong`.
  public mutating func reportAnew() -> OnChange {
    for owner in Array(reports.keys) {
      let series = nextSeries()
      reports[owner]?.restart(series: series)
    }
    prepareAcknowledgement()
    return .changed
  }

  /// `owner` has strays recorded as told by this member, which an audit did not find here. Those that are here after all,
  /// and that the owner has to know of, stay.
  public mutating func retractWrong(_ userHashes: [UInt64], at owner: Incarnation) -> OnChange {
    guard window.current.member(owner) != nil else { return .nothing }
    for user in userHashes where held[user] == nil || !ownersToKnow(of: user).contains(owner) {
      // Told once more, so that there is something to retract.
      tell(owner, user)
      reports[owner]?.retract(user)
    }
    return .changed
  }

  /// Who told this member of a session of whom; in order.
  public var recordedStrays: [(userHash: UInt64, reporter: Incarnation)] { ledger.entries }

  /// How many users have strays that this member was told of.
  public var strayCount: Int { ledger.count }
}

// MARK: - R3: claim

/// What an owner can say of a user's sessions.
public struct Claim: Hashable, Sendable {
  /// Every stream of the user that is open and was welcomed before now is here.
  public let isComplete: Bool
  /// Where others are known to be.
  public let strays: [Incarnation]

  public init(isComplete: Bool, strays: [Incarnation]) {
    self.isComplete = isComplete
    self.strays = strays
  }
}

extension MemberPlacement {
  /// To be asked in one step with the look at the user's sessions.
  public func claim(forUserHash userHash: UInt64, now: Duration) -> Claim {
    let strays = ledger.holders(of: userHash)
    return Claim(
      isComplete: strays.isEmpty && hasLease(now: now) && ownsInBothViews(userHash), strays: strays)
  }

  private func ownsInBothViews(_ userHash: UInt64) -> Bool {
    guard window.settled.stamp.version >= since, owns(userHash, in: window.current) else { return false }
    return window.settled.stamp == window.current.stamp || owns(userHash, in: window.settled)
  }

  private func owns(_ userHash: UInt64, in view: View) -> Bool {
    view.owner(ofUserHash: userHash)?.incarnation == incarnation
  }
}
