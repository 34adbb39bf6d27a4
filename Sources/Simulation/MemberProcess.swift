import Placement
import Rebalancing
import Sessions

/// A pod's process: the real session table, the real placement and the real mover, in a shell that re-enacts `SessionHub`,
/// `MembershipKeeper`, `StrayReporter`, `Registrar` and `SessionMover` with events in place of tasks.
final class MemberProcess: Actor {
  unowned let world: World
  let pod: Pod
  private(set) lazy var follower = Follower(world, self)
  var table: SessionTable
  var streams: [StreamID: OpenStream] = [:]
  /// Nil before the first lease, and after the incarnation was written off.
  var placement: MemberPlacement?
  /// As it was told; `placement` may have been told less, by a broken rule.
  var fullWindow: Window?
  var resumes = 0
  var mayHaveGhosts = false
  /// Registered sessions that wait until their user's owners know of them.
  var admissions: [StreamID: PendingAdmission] = [:]
  var isDraining = false
  /// Whether the last renewal succeeded.
  var reachesRegistry = false
  var membership: (incarnation: Incarnation, window: Window)?
  var toRestore: [SessionRecord] = []
  var cleanUps: [CleanUp] = []
  var isCleaningUp = false
  var tellingOwners: Set<Incarnation> = []
  var isAcknowledging = false
  var acknowledgedEarly: ViewStamp?
  var hasStoppedKeeping = false
  /// For reports that are recorded out of order, by a broken rule.
  var disorderedSeries: UInt64 = 1 << 40
  /// Something was changed that may change claims.
  var isTouched = false
  /// A resume was asked for, and its answer has not come.
  var isResuming = false
  var isWritingOff = false
  /// Written off, and not a new incarnation yet.
  var mustJoinAnew = false
  var mover: Mover
  /// Once it has registered the next session that moves here.
  var diesBeforeWelcome = false
  var grants: MoveGrants
  var task = MoveTask.homing
  /// The newest order that was read.
  var orderRead = 0
  /// How far the registry's clock is ahead of the own one, at most.
  var serverLead: Duration?

  struct OpenStream {
    let trace: StreamTrace
    /// Set once the placement counts it.
    var userHash: UInt64?
  }

  /// A session whose record is written, and which is not welcomed yet.
  struct PendingAdmission {
    let record: SessionRecord
    /// For a move: the record of the stream that lives until this one is welcomed.
    let movedFrom: SessionRecord?
    let userHash: UInt64
    let since: Duration
    /// Messages that came by the record before the welcome: they follow it.
    var held: [HeldMessage] = []

    /// What is to be done with the record when no stream stands behind it.
    var undoing: CleanUp { movedFrom.map { .putBack($0, insteadOf: record) } ?? .unregister(record) }
  }

  struct HeldMessage {
    let target: DeliveryTarget
    let push: Push
    let done: (SessionDelivery) -> Void
  }

  /// Why sessions are moved, and how fast.
  enum MoveTask {
    /// Strays go home at the pod's own pace.
    case homing
    /// An operator wants this pod empty.
    case emptying
    /// The pod leaves.
    case draining
  }

  enum CleanUp {
    case unregister(SessionRecord)
    /// A move that came to nothing: the first record was replaced by the second.
    case putBack(SessionRecord, insteadOf: SessionRecord)
    /// Welcomed while the registry was away.
    case restore(SessionRecord)
    /// A registration of unknown outcome: a record of ours that no stream backs must go.
    case verify(SessionKey, isRepeated: Bool)
  }

  init(_ world: World, _ pod: Pod, name: String) {
    self.world = world
    self.pod = pod
    var limits = SessionLimits()
    limits.sessions = pod.capacity
    table = SessionTable(limits: limits)
    mover = Mover(limits: MoveLimits(rate: world.timing.homingRate, deadline: world.timing.moveDeadline))
    grants = MoveGrants(rate: world.timing.grantRate)
    super.init(
      name: name, place: .pod(pod.index), clockRate: world.clockRate(),
      clockStart: world.random.duration(.zero ... .seconds(100)))
  }

  var now: Duration { localTime(world.now) }

  var incarnation: Incarnation? { placement?.incarnation }

  /// The newest window known here.
  var window: Window? { follower.window ?? placement?.window }

  var isFull: Bool { table.limits.sessions > 0 && table.streamCount >= table.limits.sessions }

  func isBroken(_ rule: BrokenRule) -> Bool { world.without.contains(rule) }

  var userHashes: [UInt64] { world.users.map(\.hash) }

  // MARK: R3

  /// What the pod would say of a user's sessions now.
  func claim(_ userHash: UInt64) -> Claim? {
    guard let placement else { return nil }
    let now = isBroken(.claimLease) ? .seconds(-1_000_000_000) : now
    let claim = placement.claim(forUserHash: userHash, now: now)
    guard isBroken(.claimStrays) || isBroken(.since) || isBroken(.settledOwner) else { return claim }
    // Re-stated, because the core has no switch for it.
    guard let window = fullWindow else { return claim }
    let since = isBroken(.since) ? 0 : window.current.member(placement.incarnation)?.since ?? .max
    let owns = [window.current, window.settled].allSatisfy {
      $0.owner(ofUserHash: userHash)?.incarnation == placement.incarnation
    }
    let isComplete =
      placement.hasLease(now: now) && window.settled.stamp.version >= since && owns
      && (claim.strays.isEmpty || isBroken(.claimStrays))
    return Claim(isComplete: isComplete, strays: claim.strays)
  }

  // MARK: Changes of the placement

  /// Whatever changes the placement may let sessions in, give owners something to be told, or the view to acknowledge.
  @discardableResult
  func changePlacement<Result>(_ change: (inout MemberPlacement) -> Result) -> Result? {
    guard placement != nil else { return nil }
    let result = change(&placement!)
    isTouched = true
    if !admissions.isEmpty { settleAdmissions(admissions.keys.sorted { $0.rawValue < $1.rawValue }) }
    tellOwners()
    acknowledge()
    return result
  }

  func windowChanged(_ window: Window) {
    guard let placement else { return }
    guard !window.isOlder(than: fullWindow ?? placement.window) else { return }
    if window.current.stamp.version >= fullWindow?.current.stamp.version ?? 0 { fullWindow = window }
    let claimsEnd = now + world.timing.lease
    changePlacement { $0.windowChanged(narrowed(window), claimsEnd: claimsEnd) }
  }

  /// What the placement is told of a window.
  func narrowed(_ window: Window) -> Window {
    isBroken(.settledOwner) ? Window(settled: window.current, current: window.current) : window
  }

  /// A peer or a Sender knows another view: ours is read again when it is older.
  func stampsSeen(_ stamps: WindowStamps) {
    guard let known = window?.stamps, stamps.current.version > known.current.version else { return }
    follower.refresh()
  }

  func leaseEnd(asked: Duration) -> Duration {
    isBroken(.leaseFromReply) ? now + world.timing.lease : asked + MemberPlacement.ownLease(world.timing.lease)
  }

  func isPastGrace(_ now: Duration) -> Bool {
    placement?.isPastGrace(world.timing.grace, now: now) ?? false
  }

  func tick() {
    world.at(world.timing.tick, for: self) { [self] in tick() }
    changePlacement { $0.timePassed(now: now) }
  }
}
