/// One of the rules of the protocol, left out: the simulator has to find out.
public enum BrokenRule: String, CaseIterable, Sendable {
  /// Welcome a session although its user's owners have not recorded the stray.
  case admit = "R1"
  /// Acknowledge a view at once.
  case acknowledge = "R2"
  /// Claim without looking at the lease.
  case claimLease = "R3-lease"
  /// Claim without looking at the strays.
  case claimStrays = "R3-strays"
  /// Write a member off at its lease's end.
  case grace = "R4-grace"
  /// Count the lease from the registry's answer on.
  case leaseFromReply = "R4-reply"
  /// Record reports and retractions in whatever order they arrive.
  case order = "R5-order"
  /// Claim by views from before the last resume.
  case since
  /// Go on after a loss of data as if nothing had happened.
  case barrier
  /// Tell, and wait for, today's owner only.
  case settledOwner = "settled-owner"
  /// The registry takes acknowledgements of views that are not current any more.
  case staleAcknowledgement = "stale-ack"

  /// A new view is announced without a word on which has settled, so that who missed that goes on with what had settled
  /// before.
  case settledUnsaid = "settled-unsaid"

  // What the shells have to do, found by this simulator.

  /// A session that was welcomed in an outage is registered when the registry is back.
  case restoreProvisional = "restore-provisional"
  /// A pod claims nothing any more from when it asks to leave.
  case claimUntilLeave = "leave-claims"
  /// A resume whose answer was lost is made again, though the registry took it.
  case lostResume = "lost-resume"
  /// Records that are read while the registry recovers from a loss of data may be too few; and nothing settles before the
  /// records of all members are written again.
  case recoveringRecords = "recovering-records"

  // Moves.

  /// The old stream of a session that moves is told of the takeover only once the new one is welcomed.
  case moveRelease = "move-release"
  /// Messages that come by the record wait for the welcome of a session that moves.
  case moveHold = "move-hold"
  /// The record of a session that is about to move names the one before, by which it is found should its target die.
  case moveBefore = "move-before"
  /// A move that does not come to its welcome gives the record back, and where that fails its source sees to it.
  case movePutBack = "move-put-back"
  /// The record of a session that did not move is looked after: whoever had registered it may not be able to give it back.
  case moveLookAfter = "move-look-after"
  /// A pod that resumes gives up the moves to it that wait for their welcome.
  case moveResume = "move-resume"
  /// Sessions are sent to their owner, and nowhere else, also when it is full.
  case moveHome = "move-home"
}

/// The cluster's times. Shorter than in production where only their order matters, so that a run needs fewer steps.
struct Timing {
  var renewalInterval: Duration = .seconds(1)
  var lease: Duration = .seconds(3)
  var grace: Duration = .seconds(6)
  var recoveryWait: Duration = .seconds(9)
  var gather: Duration = .milliseconds(100)
  var pollInterval: Duration = .seconds(1)
  var tick: Duration = .milliseconds(200)
  var registryTimeout: Duration = .seconds(1)
  var peerTimeout: Duration = .milliseconds(800)
  var pushTimeout: Duration = .seconds(2)
  /// When a client gives a stream up on which nothing comes any more; shorter than the grace.
  var keepAlive: Duration = .seconds(4)
  /// When a client that was not welcomed tries elsewhere.
  var clientPatience: Duration = .milliseconds(2_500)
  /// Between two looks of a pod at its sessions for those that belong elsewhere.
  var moveInterval: Duration = .milliseconds(500)
  var moveDeadline: Duration = .seconds(2)
  /// Moves that a pod begins in a second by itself.
  var homingRate = 4.0
  /// Sessions that a pod lets others send in a second.
  var grantRate = 50.0
  /// After a record was looked after in vain, or for the first time.
  var lookAfterPause: Duration = .seconds(2)
  var lastLookPause: Duration = .seconds(5)
  /// Sequence of virtual nodes: few, because views are made often.
  var tokensPerWeight = 8
}

/// How one schedule is run.
public struct SimulationOptions: Sendable {
  /// How many steps faults and traffic go on for, before all is mended and has to settle.
  public var steps = 2_000
  public var without: Set<BrokenRule> = []
  /// How long nothing settles where a new member finds the registry empty: lease and grace, or the shorter default, under
  /// which only schedules are drawn in which an old member reaches the registry in time.
  public var hasLongRecoveryWait = true
  /// Keep the whole story, not only that of a failure.
  public var isVerbose = false

  public init() {}
}
