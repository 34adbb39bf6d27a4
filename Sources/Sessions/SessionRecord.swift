public import Placement

/// A session's fencing number: every (re)connect of the same session id gets a larger one, and the registry refuses
/// smaller ones.
public struct Epoch: RawRepresentable, Hashable, Comparable, Sendable, CustomStringConvertible {
  public let rawValue: UInt64

  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// The client had no epoch before.
  public static let none = Epoch(rawValue: 0)

  public static func < (left: Self, right: Self) -> Bool { left.rawValue < right.rawValue }

  public var description: String { String(rawValue) }
}

/// A user's session, by name.
public struct SessionKey: Hashable, Sendable {
  public let user: UserID
  public let session: SessionID

  public init(user: UserID, session: SessionID) {
    self.user = user
    self.session = session
  }
}

/// The authoritative row of one session in the registry: where it is.
public struct SessionRecord: Hashable, Sendable {
  public let key: SessionKey
  public let podID: String
  public let incarnation: Incarnation
  public let epoch: Epoch

  public init(key: SessionKey, podID: String, incarnation: Incarnation, epoch: Epoch) {
    self.key = key
    self.podID = podID
    self.incarnation = incarnation
    self.epoch = epoch
  }
}

/// What became of a message for one session.
public enum Outcome: String, Hashable, Sendable, CaseIterable {
  /// Accepted into the session's stream.
  case delivered
  /// The session's outbound queue is at its limit; not queued.
  case slow
  /// No such session any more.
  case gone
  /// The pod would not take it.
  case refused
  /// The pod did not answer in time; the message may or may not have arrived.
  case unreachable
}
