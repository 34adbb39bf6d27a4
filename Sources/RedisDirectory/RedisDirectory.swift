public import Logging
public import Placement
public import RedisClient
public import Sessions

/// STUB. The registry: who is a member, and where each session is.
///
/// Every call is one round trip (a Lua script or a pipeline of them) unless it says otherwise.
public final class RedisDirectory: Sendable {
  public let cluster: ClusterName
  public init(client: RedisClient, cluster: ClusterName, settings: DirectorySettings = .init(), logger: Logger) {
    self.cluster = cluster
  }

  // MARK: Membership (a pod's calls)

  /// A new incarnation, active in the view. May take up to the 100 ms in which changes are gathered to be in a view.
  public func join(_ description: MemberDescription) async throws(DirectoryError) -> Membership { fatalError("stub") }

  /// Extends the lease, reports counts for `ring inspect`, removes members whose lease ended, takes the takeovers.
  /// `.unknownMember` is not an error: the registry lost it or wrote it off, and the pod decides to resume.
  public func renew(_ incarnation: Incarnation, load: MemberLoad) async throws(DirectoryError) -> Renewal {
    fatalError("stub")
  }

  /// The same incarnation back, after its lease ended or the registry lost its data. `floor` is the newest view
  /// that the pod knows; `incarnation` and the new version are never below it.
  public func resume(_ incarnation: Incarnation, _ description: MemberDescription, floor: ViewStamp)
    async throws(DirectoryError) -> Membership
  { fatalError("stub") }

  /// "All my sessions are where `view` wants them, or known to their owner": when every member has said so while
  /// the view is current, it becomes the settled view. In vain (returns false) when the view is no longer current.
  public func acknowledge(_ incarnation: Incarnation, view: ViewStamp) async throws(DirectoryError) -> Bool {
    fatalError("stub")
  }

  public func drain(_ incarnation: Incarnation) async throws(DirectoryError) { fatalError("stub") }

  /// Leaves in good order: no grace. Its records may still exist; the sweeper takes what it left.
  public func leave(_ incarnation: Incarnation) async throws(DirectoryError) { fatalError("stub") }

  // MARK: Views (everybody's calls)

  /// Settled and current view as they are now; nil when nobody ever joined the cluster.
  public func window() async throws(DirectoryError) -> Window? { fatalError("stub") }

  /// The members with lease left and load, for `ring inspect`.
  public func memberStatus() async throws(DirectoryError) -> [MemberStatus] { fatalError("stub") }

  // MARK: Sessions

  /// Writes the record of a session on `incarnation` with a new epoch, larger than the stored one, the
  /// registry's microseconds and `lastEpoch`. Reports the takeover to the pod of the record that it replaces.
  /// Concurrent calls share pipelines.
  public func register(
    _ key: SessionKey, podID: String, incarnation: Incarnation, lastEpoch: Epoch
  ) async throws(DirectoryError) -> Registration { fatalError("stub") }

  /// Writes records again with the epochs they have (after a loss of data). A record with a larger epoch in the
  /// registry stays: its session is returned as superseded, and the pod ends the stream.
  public func restore(_ records: [SessionRecord]) async throws(DirectoryError) -> [SessionRecord] {
    fatalError("stub")
  }

  /// Deletes the record if pod, incarnation and epoch are still these; false when they are not.
  public func unregister(_ record: SessionRecord) async throws(DirectoryError) -> Bool { fatalError("stub") }

  /// All records of a user, dead incarnations' included: judge them by a view.
  public func records(of user: UserID) async throws(DirectoryError) -> [SessionRecord] { fatalError("stub") }

  /// Takeovers reported to `incarnation` since the last call: taken, so each is given once.
  public func takeTakeovers(_ incarnation: Incarnation) async throws(DirectoryError) -> [Takeover] {
    fatalError("stub")
  }

  /// Deletes up to `limit` records of one incarnation that is neither in the view nor in grace; comparing before
  /// deleting. Safe to run from several pods at once.
  public func sweep(limit: Int) async throws(DirectoryError) -> SweepResult { fatalError("stub") }
}

/// STUB. Follows the view: subscription, and polling when that fails.
public final class ViewFollower: Sendable {
  /// - Parameter pollInterval: how often the window is read although the subscription works (10 x that when it does).
  public init(
    directory: RedisDirectory, configuration: RedisConfiguration, pollInterval: Duration = .seconds(1), logger: Logger
  ) {}
  public func run() async { fatalError("stub") }
  /// The newest window known; nil before the first. Lock-free or a short lock; safe on hot paths.
  public var window: Window? { fatalError("stub") }
  /// When `window` was last confirmed by the registry, for "younger than a lease".
  public var confirmedAt: ContinuousClock.Instant? { fatalError("stub") }
  /// Each new window, the newest only when the consumer is slow; a stream of its own for each caller.
  public func windows() -> AsyncStream<Window> { fatalError("stub") }
  /// Reads the window now (single flight), e.g. because a peer's message carried a newer stamp.
  public func refresh() async throws(DirectoryError) -> Window? { fatalError("stub") }
  /// A takeover was reported to `incarnation`: call `takeTakeovers`. Hints, may be missed: renewals take them too.
  public func takeoverHints(for incarnation: Incarnation) -> AsyncStream<Void> { fatalError("stub") }
}

/// 1 to 64 bytes of `A-Z a-z 0-9 . _ -`.
public struct ClusterName: Hashable, Sendable, CustomStringConvertible {
  public let text: String
  public init(_ text: String) throws(DirectoryError) { self.text = text }
  public var description: String { text }
}

/// The same for every program of a cluster; kept in the registry by the first that joins, refused when they differ.
public struct DirectorySettings: Hashable, Sendable {
  public var renewalInterval: Duration = .seconds(1)
  public var lease: Duration = .seconds(3)
  public var grace: Duration = .seconds(60)
  public var tokensPerWeight: Int = 256
  public init() {}
}

public struct Membership: Sendable, Hashable {
  public let incarnation: Incarnation
  /// Counted from before the call was made.
  public let lease: Duration
  public let window: Window
  public init(incarnation: Incarnation, lease: Duration, window: Window) {
    self.incarnation = incarnation
    self.lease = lease
    self.window = window
  }
}

public struct MemberLoad: Sendable, Hashable {
  public var sessions: Int
  public var strays: Int
  public init(sessions: Int, strays: Int) {
    self.sessions = sessions
    self.strays = strays
  }
}

public enum Renewal: Sendable, Hashable {
  /// `current`, so that the pod finds out that its view is old.
  case renewed(lease: Duration, current: ViewStamp, takeovers: [Takeover])
  /// The registry doesn't know this incarnation, or it is in grace: resume.
  case lapsed
}

public struct MemberStatus: Sendable, Hashable {
  public let member: Member
  public let leaseLeft: Duration
  public let load: MemberLoad
  public init(member: Member, leaseLeft: Duration, load: MemberLoad) {
    self.member = member
    self.leaseLeft = leaseLeft
    self.load = load
  }
}

public struct Registration: Sendable, Hashable {
  public let record: SessionRecord
  public let replaced: SessionRecord?
  /// The user's other records.
  public let others: [SessionRecord]
  public init(record: SessionRecord, replaced: SessionRecord?, others: [SessionRecord]) {
    self.record = record
    self.replaced = replaced
    self.others = others
  }
}

/// A session id connected again elsewhere: the stream with an epoch below `newEpoch` has to end.
public struct Takeover: Sendable, Hashable {
  public let key: SessionKey
  public let newEpoch: Epoch
  public let newPodID: String
  public init(key: SessionKey, newEpoch: Epoch, newPodID: String) {
    self.key = key
    self.newEpoch = newEpoch
    self.newPodID = newPodID
  }
}

public struct SweepResult: Sendable, Hashable {
  public let deleted: Int
  /// Dead incarnations that still have an index.
  public let incarnationsLeft: Int
  public init(deleted: Int, incarnationsLeft: Int) {
    self.deleted = deleted
    self.incarnationsLeft = incarnationsLeft
  }
}

public struct DirectoryError: Error, Sendable, CustomStringConvertible {
  public enum Code: Sendable, Hashable {
    /// Redis did not answer, or not in time.
    case unavailable
    /// What is stored is not what this version writes, or another program's settings differ.
    case incompatible
    case invalidArgument
  }
  public let code: Code
  public let message: String
  public let cause: RedisError?
  public init(code: Code, message: String, cause: RedisError? = nil) {
    self.code = code
    self.message = message
    self.cause = cause
  }
  public var description: String { message }
}
