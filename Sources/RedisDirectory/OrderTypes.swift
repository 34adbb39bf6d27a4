public import Placement

/// What operators ordered; kept in the registry by pod id.
public struct Orders: Sendable, Hashable {
  /// Grows with each order.
  public let number: UInt64
  /// Whether pods bring strays home by themselves.
  public let homing: Bool
  public let pods: [PodOrder]

  public init(number: UInt64 = 0, homing: Bool = true, pods: [PodOrder] = []) {
    self.number = number
    self.homing = homing
    self.pods = pods
  }

  public func order(for podID: String) -> PodOrder? { pods.first { $0.podID == podID } }
}

public struct PodOrder: Sendable, Hashable {
  public let podID: String
  /// Nil: the pod's own.
  public let weight: Int?
  public let state: PodOrderState

  public init(podID: String, weight: Int?, state: PodOrderState) {
    self.podID = podID
    self.weight = weight
    self.state = state
  }
}

public enum PodOrderState: String, Sendable, Hashable {
  case active
  /// Out of the ring; the sessions it has stay.
  case cordoned
  /// Out of the ring, and its sessions move away.
  case drained
}

/// The one rebalance that a cluster may have under way, or the last one.
public struct RebalanceJob: Sendable, Hashable {
  public enum State: String, Sendable, Hashable {
    case running
    /// Begins no moves any more; those under way end.
    case stopping
    case done
    case stopped

    public var isOver: Bool { self == .done || self == .stopped }
  }

  public struct Source: Sendable, Hashable {
    public let incarnation: Incarnation
    /// Sessions that are to move away from it.
    public let planned: Int
    public let moved: Int
    /// Asked, and still there when their time was over.
    public let failed: Int
    /// Ended meanwhile.
    public let ended: Int
    /// Neither yet.
    public let left: Int
    /// It has done what it could, or is a member no more.
    public let isDone: Bool

    public init(
      incarnation: Incarnation, planned: Int, moved: Int, failed: Int, ended: Int, left: Int, isDone: Bool
    ) {
      self.incarnation = incarnation
      self.planned = planned
      self.moved = moved
      self.failed = failed
      self.ended = ended
      self.left = left
      self.isDone = isDone
    }
  }

  public let id: String
  public let state: State
  /// The view that it was planned for.
  public let view: ViewStamp
  /// Text that only programs read.
  public let parameters: String
  /// How long it has been running, or ran.
  public let lasted: Duration
  public let sources: [Source]
}

/// Why a rebalance did not start.
public enum RebalanceStart: Sendable, Hashable {
  case started(RebalanceJob)
  /// Another one is under way.
  case busy(RebalanceJob)
  /// The view is not the one that it was planned for any more.
  case stale(current: ViewStamp)
}
