/// What a pod says of itself when it joins; fixed for the lifetime of its process.
public struct MemberDescription: Hashable, Sendable {
  /// Chosen by the operator: 1 to 128 bytes of `A-Z a-z 0-9 . _ -`. Two processes with one pod id are two members.
  public let podID: String
  /// Where clients connect, "HOST:PORT".
  public let endpoint: String
  /// Where Senders and other pods connect, "HOST:PORT".
  public let peerEndpoint: String
  /// How large a part of the ring the pod takes, relative to the others: 1 to 100.
  public let weight: Int
  /// Availability zone; empty when the operator set none.
  public let zone: String

  public init(podID: String, endpoint: String, peerEndpoint: String, weight: Int = 1, zone: String = "") {
    self.podID = podID
    self.endpoint = endpoint
    self.peerEndpoint = peerEndpoint
    self.weight = weight
    self.zone = zone
  }
}

public enum MemberState: String, Hashable, Sendable {
  /// Holds a lease and a part of the ring.
  case active
  /// Holds a lease, serves the sessions it has, owns nothing, by an operator's word.
  case cordoned
  /// The same while its process leaves.
  case draining
  /// Its lease ended, and it is not yet written off: it may resume until its grace is over.
  case grace
}

/// One pod process in one view.
public struct Member: Hashable, Sendable {
  public let incarnation: Incarnation
  public let description: MemberDescription
  public let state: MemberState
  /// The version of the view at which this incarnation joined or last resumed.
  public let since: UInt64

  public init(incarnation: Incarnation, description: MemberDescription, state: MemberState, since: UInt64) {
    self.incarnation = incarnation
    self.description = description
    self.state = state
    self.since = since
  }

  public var podID: String { description.podID }
}
