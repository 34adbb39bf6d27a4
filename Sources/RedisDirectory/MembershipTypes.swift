public import Placement

/// What a pod gets when it joins or resumes.
public struct Membership: Sendable, Hashable {
  public let incarnation: Incarnation
  /// Counted from before the call was made.
  public let lease: Duration
  /// Before, counted from the answer, the member may not welcome anybody: the registry recovers from a loss of data.
  public let admitsAfter: Duration
  /// The current view has the member in it.
  public let window: Window
  public init(incarnation: Incarnation, lease: Duration, admitsAfter: Duration = .zero, window: Window) {
    self.incarnation = incarnation
    self.lease = lease
    self.admitsAfter = admitsAfter
    self.window = window
  }
}

/// So that a program can say what is wrong before it opens a port; `join` checks them too.
extension MemberDescription {
  public static func check(podID: String) throws(DirectoryError) {
    guard isPlainName(podID, maximumLength: 128) else {
      throw refused("the pod id \"\(podID.prefix(200))\" is not usable; give 1 to 128 characters of A-Z a-z 0-9 . _ -")
    }
  }

  public static func check(zone: String) throws(DirectoryError) {
    guard isPrintable(zone) else {
      throw refused("the zone has a control character in it, or \(zone.utf8.count) bytes; at most 256 are allowed")
    }
  }
}

/// What a pod tells of itself at each renewal, for `ring inspect`.
public struct MemberLoad: Sendable, Hashable {
  public var sessions: Int
  public var strays: Int
  /// Sessions at which the pod is full; 0: no limit.
  public var limit: Int
  public init(sessions: Int, strays: Int, limit: Int = 0) {
    self.sessions = sessions
    self.strays = strays
    self.limit = limit
  }
}

public enum Renewal: Sendable, Hashable {
  /// `current`, so that the pod finds out that its view is old. `lease` is counted from before the call was made.
  /// `order` numbers the newest order of an operator, so that the pod finds out that there is one to read.
  case renewed(lease: Duration, current: ViewStamp, takeovers: [Takeover], order: UInt64)
  /// The registry doesn't know this incarnation, or it is in grace: resume.
  case lapsed
}

public struct MemberStatus: Sendable, Hashable {
  /// As in the next view; `since` is 0 while the view with its join or resume is not yet published.
  public let member: Member
  /// Zero in grace.
  public let leaseLeft: Duration
  public let load: MemberLoad
  public init(member: Member, leaseLeft: Duration, load: MemberLoad) {
    self.member = member
    self.leaseLeft = leaseLeft
    self.load = load
  }
}
