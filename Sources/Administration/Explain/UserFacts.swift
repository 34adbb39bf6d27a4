public import Placement
public import Sessions

/// What the registry and the pods say of one user, as they said it.
public struct UserFacts: Sendable {
  public struct Pod: Sendable {
    public let member: Member
    public let sessions: [Held]
    /// It would tell a Sender now that it has all of the user's sessions.
    public let vouches: Bool
    /// Who told it of sessions of this user's hash.
    public let strays: [Incarnation]
    public let hasLease: Bool
    public let stamps: WindowStamps

    public init(
      member: Member, sessions: [Held] = [], vouches: Bool = false, strays: [Incarnation] = [], hasLease: Bool = true,
      stamps: WindowStamps
    ) {
      self.member = member
      self.sessions = sessions
      self.vouches = vouches
      self.strays = strays
      self.hasLease = hasLease
      self.stamps = stamps
    }
  }

  public struct Held: Sendable, Hashable {
    public let session: SessionID
    public let epoch: Epoch
    public let moves: Bool
    public let queuedBytes: Int
    public let labels: [String: String]
    /// Not welcomed yet.
    public let isWaiting: Bool

    public init(
      session: SessionID, epoch: Epoch, moves: Bool = true, queuedBytes: Int = 0, labels: [String: String] = [:],
      isWaiting: Bool = false
    ) {
      self.session = session
      self.epoch = epoch
      self.moves = moves
      self.queuedBytes = queuedBytes
      self.labels = labels
      self.isWaiting = isWaiting
    }
  }

  public let user: UserID
  public let window: Window
  /// Nil when they could not be read; then `recordsError` says why.
  public let records: [SessionRecord]?
  public let recordsError: String
  /// False while the registry recovers from a loss of data.
  public let recordsAreAll: Bool
  /// Members that answered.
  public let pods: [Pod]
  public let silent: [Fleet.Silence]

  public init(
    user: UserID, window: Window, records: [SessionRecord]?, recordsError: String = "", recordsAreAll: Bool = true,
    pods: [Pod], silent: [Fleet.Silence] = []
  ) {
    self.user = user
    self.window = window
    self.records = records
    self.recordsError = recordsError
    self.recordsAreAll = recordsAreAll
    self.pods = pods
    self.silent = silent
  }

  public func pod(_ incarnation: Incarnation) -> Pod? { pods.first { $0.member.incarnation == incarnation } }
}
