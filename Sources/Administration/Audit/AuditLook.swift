internal import HashRing
public import Placement
public import RedisDirectory
public import Sessions

/// One look at a cluster: what the registry says against what the pods say.
///
/// A value that is fed: first what the pods hold, then the registry, part by part. Of the pods' sessions it keeps a few
/// words each; of the registry nothing but what is wrong. So 100,000 sessions take some tens of megabytes, whatever else
/// is stored.
///
/// A look takes seconds, and sessions move meanwhile. So what one look finds is no fault yet: `findings` of two looks with a
/// pause between them, and what is in both is (`confirmed`). What can't be judged, as a pod is silent or the view has not
/// settled, is counted and not guessed at.
public struct AuditLook: Sendable {
  private let window: Window
  private let departed: Set<Incarnation>
  private let orders: Orders
  /// Members that answered.
  private var answered: [Incarnation: Member] = [:]
  /// Live sessions by where they are. Of one that lives on several pods, its latest life, whoever answered first: what is
  /// found must not hang on that. Where it is as well is apart, and is judged by that alone.
  private var held: [SessionKey: Holding] = [:]
  private var alsoHeld: [SessionKey: [Incarnation: Epoch]] = [:]
  /// Sessions that are not welcomed yet: their records may be written.
  private var waiting: [SessionKey: Set<Incarnation>] = [:]
  private var holders: Set<UserAtPod> = []
  private var strays: Set<RecordedStray> = []
  /// Of processes that the view does not know yet, if they are any.
  private var tooNew: [SessionRecord] = []
  private var found: Set<Finding> = []

  /// Findings beyond are only counted.
  private static let most = 50_000
  /// How many there were, at least.
  public private(set) var count = 0
  /// Records that name a pod that did not answer, or a process newer than the view.
  public private(set) var unjudged = 0
  public private(set) var recordCount = 0

  private struct Holding {
    let incarnation: Incarnation
    let epoch: Epoch
    var hasRecord = false
    var isIndexed = false
  }

  private struct UserAtPod: Hashable {
    let userHash: UInt64
    let incarnation: Incarnation
  }

  private struct RecordedStray: Hashable {
    let owner: Incarnation
    let userHash: UInt64
    let reporter: Incarnation
  }

  public init(window: Window, departed: Set<Incarnation>, orders: Orders) {
    self.window = window
    self.departed = departed
    self.orders = orders
  }

  /// Strays can be judged only while all members go by one view.
  public var isSettled: Bool { window.settled.stamp == window.current.stamp }

  public var sessionCount: Int { held.count }

  // MARK: What the pods say

  /// All that it holds, and all strays that it was told of, come as well.
  public mutating func answered(_ member: Member) { answered[member.incarnation] = member }

  public mutating func holds(_ key: SessionKey, epoch: Epoch, at incarnation: Incarnation, isWaiting: Bool = false) {
    holders.insert(UserAtPod(userHash: keyHash(key.user.text.utf8), incarnation: incarnation))
    if isWaiting {
      waiting[key, default: []].insert(incarnation)
    } else if let other = held[key] {
      let isLater = (epoch, incarnation) > (other.epoch, other.incarnation)
      if isLater { held[key] = Holding(incarnation: incarnation, epoch: epoch) }
      alsoHeld[key, default: [:]][isLater ? other.incarnation : incarnation] = isLater ? other.epoch : epoch
    } else {
      held[key] = Holding(incarnation: incarnation, epoch: epoch)
    }
  }

  public mutating func recordedStray(userHash: UInt64, reporter: Incarnation, at owner: Incarnation) {
    strays.insert(RecordedStray(owner: owner, userHash: userHash, reporter: reporter))
  }

  // MARK: What the registry says; after the pods

  public mutating func stored(_ part: StoredPart) {
    for record in part.records { stored(record) }
    for unreadable in part.unreadable {
      note(
        Finding(
          .recordUnreadable, user: unreadable.user, session: unreadable.session,
          detail: "\(unreadable.reason); nothing of ours deletes it"))
    }
  }

  private mutating func stored(_ record: SessionRecord) {
    recordCount += 1
    let holding = held[record.key]
    // Whatever it says, there is one.
    if holding != nil { held[record.key]?.hasRecord = true }
    switch window.current.standing(of: record.incarnation) {
    case .void: noteDead(record, holding)
    case .member: compare(record, holding)
    case .newerThanView: tooNew.append(record)
    }
  }

  private mutating func noteDead(_ record: SessionRecord, _ holding: Holding?) {
    if let holding { return noteWrongPlace(record, holding) }
    let isSwept = departed.contains(record.incarnation)
    note(
      Finding(
        .recordOfDeadIncarnation, record,
        detail: isSwept
          ? "its process is gone, and the sweeper will take it" : "no process of that incarnation is known"))
  }

  private mutating func compare(_ record: SessionRecord, _ holding: Holding?) {
    // On its way to the pod that it names.
    if waiting[record.key]?.contains(record.incarnation) == true { return }
    guard let holding else {
      guard answered[record.incarnation] != nil else { return unjudged += 1 }
      return note(Finding(.recordWithoutSession, record, detail: "\(record.podID) has no such session"))
    }
    guard holding.incarnation != record.incarnation else {
      if podID(holding.incarnation) != record.podID { return noteWrongPlace(record, holding) }
      guard holding.epoch != record.epoch else { return }
      return note(
        Finding(
          .recordWithWrongEpoch, record, holder: place(holding.incarnation, holding.epoch),
          detail: "recorded with epoch \(record.epoch), live with epoch \(holding.epoch)"))
    }
    // The later of two is told of as doubled.
    if alsoHeld[record.key]?[record.incarnation] != nil { return }
    // A silent pod may have it with a later epoch.
    if answered[record.incarnation] == nil, record.epoch > holding.epoch { return unjudged += 1 }
    noteWrongPlace(record, holding)
  }

  private mutating func noteWrongPlace(_ record: SessionRecord, _ holding: Holding) {
    note(
      Finding(
        .recordAtWrongPod, record, holder: place(holding.incarnation, holding.epoch),
        detail: "recorded on \(record.podID) (\(record.incarnation)), live on \(named(holding.incarnation))"))
  }

  /// An entry of the index of a member that answered.
  public mutating func indexed(_ key: SessionKey, of incarnation: Incarnation) {
    guard answered[incarnation] != nil else { return }
    if held[key]?.incarnation == incarnation {
      held[key]?.isIndexed = true
    } else if waiting[key]?.contains(incarnation) != true, alsoHeld[key]?[incarnation] == nil {
      note(
        Finding(
          .indexLeftover, user: key.user.text, session: key.session.text, holder: place(incarnation),
          detail: "\(podID(incarnation)) has no such session"))
    }
  }

  /// An incarnation that has an index.
  public mutating func hasIndex(_ incarnation: Incarnation) {
    guard window.current.standing(of: incarnation) == .void, !departed.contains(incarnation) else { return }
    note(
      Finding(
        .indexLeftover, holder: place(incarnation),
        detail: "the index of incarnation \(incarnation), of which nothing else is known; nobody sweeps it"))
  }

  // MARK: Findings

  /// Once all is told. In a stable order.
  /// - Parameter latest: read after all that was stored: what is newer than that was never given to a process.
  public mutating func findings(latest: View) -> [Finding] {
    for record in tooNew {
      if latest.standing(of: record.incarnation) == .newerThanView {
        noteDead(record, held[record.key])
      } else {
        unjudged += 1
      }
    }
    noteSessions()
    if isSettled { noteStrays() }
    for order in orders.pods where !window.current.members.contains(where: { $0.podID == order.podID }) {
      note(
        Finding(
          .orderForUnknownPod, other: Finding.Place(pod: order.podID, incarnation: 0),
          detail: "ordered to be \(order.summary), and no member is \(order.podID)"))
    }
    return found.sorted(by: Finding.inOrder)
  }

  private mutating func noteSessions() {
    for (key, holding) in held {
      if !holding.hasRecord {
        note(
          Finding(
            .recordMissing, user: key.user.text, session: key.session.text,
            holder: place(holding.incarnation, holding.epoch),
            detail: "live on \(named(holding.incarnation)), and not recorded"))
      }
      if !holding.isIndexed, holding.hasRecord, indexesAreKnown, answered[holding.incarnation] != nil {
        note(
          Finding(
            .indexEntryMissing, user: key.user.text, session: key.session.text,
            holder: place(holding.incarnation, holding.epoch),
            detail: "not in the index of \(named(holding.incarnation))"))
      }
    }
    for (key, places) in alsoHeld {
      guard let latest = held[key] else { continue }
      for (incarnation, epoch) in places {
        note(
          Finding(
            .sessionDoubled, user: key.user.text, session: key.session.text,
            holder: place(latest.incarnation, latest.epoch), other: place(incarnation, epoch),
            detail: "live on \(named(latest.incarnation)) and on \(named(incarnation))"))
      }
    }
  }

  /// Whether the indexes were looked at; not when only one user is asked about.
  public var indexesAreKnown = true

  private mutating func noteStrays() {
    for (key, holding) in held {
      let hash = keyHash(key.user.text.utf8)
      guard let owner = window.current.owner(ofUserHash: hash), owner.incarnation != holding.incarnation,
        answered[owner.incarnation] != nil,
        !strays.contains(RecordedStray(owner: owner.incarnation, userHash: hash, reporter: holding.incarnation))
      else { continue }
      note(
        Finding(
          .strayMissing, user: key.user.text, userHash: hexadecimal(hash), holder: place(holding.incarnation),
          other: place(owner.incarnation),
          detail: "\(owner.podID) does not know that \(named(holding.incarnation)) has sessions of its user"))
    }
    for stray in strays {
      guard let reason = whyWrong(stray) else { continue }
      note(
        Finding(
          .strayWrong, userHash: hexadecimal(stray.userHash), holder: place(stray.reporter), other: place(stray.owner),
          detail: reason))
    }
  }

  /// Nil: it is right, or can't be judged.
  private func whyWrong(_ stray: RecordedStray) -> String? {
    switch window.current.standing(of: stray.reporter) {
    case .newerThanView: return nil
    case .void: return "\(podID(stray.owner)) knows of sessions on incarnation \(stray.reporter), which is gone"
    case .member: break
    }
    guard answered[stray.reporter] != nil else { return nil }
    guard holders.contains(UserAtPod(userHash: stray.userHash, incarnation: stray.reporter)) else {
      return "\(podID(stray.owner)) takes \(podID(stray.reporter)) to have sessions of this user, and it has none"
    }
    guard window.current.owner(ofUserHash: stray.userHash)?.incarnation != stray.owner else { return nil }
    return "\(podID(stray.owner)) keeps strays of this user, and does not own it"
  }

  private mutating func note(_ finding: Finding) {
    guard found.count < Self.most else { return count += 1 }
    if found.insert(finding).inserted { count += 1 }
  }

  /// Empty when no member is it.
  private func podID(_ incarnation: Incarnation) -> String { window.current.member(incarnation)?.podID ?? "" }

  private func named(_ incarnation: Incarnation) -> String { "\(podID(incarnation)) (\(incarnation))" }

  private func place(_ incarnation: Incarnation, _ epoch: Epoch = .none) -> Finding.Place {
    Finding.Place(pod: podID(incarnation), incarnation: incarnation.rawValue, epoch: epoch.rawValue)
  }
}

extension Finding {
  fileprivate init(_ kind: Kind, _ record: SessionRecord, holder: Place? = nil, detail: String) {
    self.init(
      kind, user: record.key.user.text, session: record.key.session.text,
      record: Place(pod: record.podID, incarnation: record.incarnation.rawValue, epoch: record.epoch.rawValue),
      holder: holder, detail: detail)
  }
}

extension PodOrder {
  /// "cordoned, weight 4".
  public var summary: String {
    ([state == .active ? nil : state.rawValue] + [weight.map { "weight \($0)" }]).compactMap { $0 }.joined(
      separator: ", ")
  }
}
