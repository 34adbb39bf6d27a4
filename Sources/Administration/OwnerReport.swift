internal import HashRing
public import Placement
public import Sessions

/// What `pushring ring owner USER` shows: the arithmetic of the ring for one user, without any look-up of sessions.
public struct OwnerReport: Sendable, Hashable, Encodable {
  public struct Pod: Sendable, Hashable, Encodable {
    public let id: String
    public let incarnation: UInt64
    public let endpoint: String
    public let zone: String
  }

  public let user: String
  /// 64-bit XXH3 of the user id, hexadecimal, 16 digits.
  public let hash: String
  public let version: UInt64
  /// Nil when no member is active.
  public let owner: Pod?
  public let successors: [Pod]

  public init(user: UserID, view: View, successors count: Int = 2) {
    let hash = keyHash(user.text.utf8)
    let pods = view.successors(ofUserHash: hash, count: count + 1).map { member in
      Pod(
        id: member.podID, incarnation: member.incarnation.rawValue, endpoint: member.description.endpoint,
        zone: member.description.zone)
    }
    let digits = String(hash, radix: 16)
    self.user = user.text
    self.hash = String(repeating: "0", count: 16 - digits.count) + digits
    version = view.stamp.version
    owner = pods.first
    successors = Array(pods.dropFirst())
  }
}
