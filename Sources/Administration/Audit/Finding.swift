/// One thing that is not as it should be, as `pushring ring check` names it. Equal findings of two looks are the same
/// fault: what moved meanwhile has another epoch or another pod.
public struct Finding: Sendable, Hashable, Codable {
  public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
    /// A record of a process that is neither in the view nor in grace.
    case recordOfDeadIncarnation = "record-of-dead-incarnation"
    /// A record of a live process that has no such session.
    case recordWithoutSession = "record-without-session"
    /// A live session whose record names another pod or another process.
    case recordAtWrongPod = "record-at-wrong-pod"
    /// A live session whose record has another epoch.
    case recordWithWrongEpoch = "record-with-wrong-epoch"
    /// A live session without a record.
    case recordMissing = "record-missing"
    /// What this version can't read.
    case recordUnreadable = "record-unreadable"
    /// A session with live streams on two pods.
    case sessionDoubled = "session-doubled"
    /// A session away from its owner, of which the owner does not know: pushes may miss it.
    case strayMissing = "stray-missing"
    /// An owner that takes a session to be elsewhere which is not: pushes cost a read too many.
    case strayWrong = "stray-wrong"
    /// An entry, or a whole index, of a session that its process does not have.
    case indexLeftover = "index-leftover"
    /// A session that no index knows: its record would outlive its pod.
    case indexEntryMissing = "index-entry-missing"
    /// An operator's order for a pod that is no member.
    case orderForUnknownPod = "order-for-unknown-pod"
  }

  public struct Place: Sendable, Hashable, Codable {
    public let pod: String
    public let incarnation: UInt64
    /// 0 where there is none.
    public var epoch: UInt64

    public init(pod: String, incarnation: UInt64, epoch: UInt64 = 0) {
      self.pod = pod
      self.incarnation = incarnation
      self.epoch = epoch
    }
  }

  public let kind: Kind
  /// Empty where it is not known, or has nothing to do with one.
  public var user = ""
  public var session = ""
  /// 64-bit hash of the user id, hexadecimal, where strays are concerned: owners know no more.
  public var userHash: String?
  /// What Redis records.
  public var record: Place?
  /// Who has the session, or has told of it, or whose index it is.
  public var holder: Place?
  /// Who owns the user, or has the session as well.
  public var other: Place?
  /// For people.
  public var detail: String

  public init(
    _ kind: Kind, user: String = "", session: String = "", userHash: String? = nil, record: Place? = nil,
    holder: Place? = nil, other: Place? = nil, detail: String
  ) {
    self.kind = kind
    self.user = user
    self.session = session
    self.userHash = userHash
    self.record = record
    self.holder = holder
    self.other = other
    self.detail = detail
  }

  /// For a stable order.
  static func inOrder(_ left: Finding, _ right: Finding) -> Bool { left.sortKey < right.sortKey }

  private var sortKey: (String, String, String, String) { (kind.rawValue, user, session, detail) }
}

/// 16 digits.
func hexadecimal(_ hash: UInt64) -> String {
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
