public import Placement
public import Sessions

/// One Deliver RPC of one push; unique within the push.
public struct CallID: Hashable, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }
}

/// What the shell has to do next. It reports how it went as a `RouteEvent`, in any order.
public enum RouteDirective: Hashable, Sendable {
  case deliver(CallID, to: Member, CallTargets)
  /// Read the user's records from the registry.
  case readRecords
  /// A record is newer than the view: read the view from the registry.
  case refreshView
  /// The push is over; later events are ignored. Always the last directive, given once.
  case finish(RouteResult)
}

public enum CallTargets: Hashable, Sendable {
  /// Every session of the user on that pod; this alone asks whether they are all there are.
  case allSessions
  case sessions([CallTarget])
}

public struct CallTarget: Hashable, Sendable {
  public let session: SessionID
  /// The pod delivers to this epoch or a later one.
  public let epoch: Epoch
  public init(session: SessionID, epoch: Epoch) {
    self.session = session
    self.epoch = epoch
  }
}

public enum RouteEvent: Hashable, Sendable {
  case answered(CallID, CallAnswer)
  case callFailed(CallID, CallFailure)
  case recordsRead([SessionRecord])
  case recordsFailed(String)
  /// Nil: the registry did not answer.
  case viewRefreshed(Window?)
  /// The owner has had its share of the push's time: go on without its answer, which may still come.
  case ownerIsLate
  /// The push's time is up.
  case deadline
}

/// A pod's answer to one call.
public struct CallAnswer: Hashable, Sendable {
  public var sessions: [CallOutcome]
  /// The pod vouches that no session of the user is on another pod.
  public var isComplete: Bool
  /// The shell still trusts such a claim: its own view was confirmed less than a lease ago.
  public var viewIsFresh: Bool
  /// The process that answered is a member, as the incarnation that was asked. Another one, or one that is about to leave,
  /// knows nothing of strays.
  public var isFromMember: Bool
  /// Other incarnations that the pod knows to hold sessions of the user.
  public var strays: [Incarnation]
  /// The pod's window.
  public var stamps: WindowStamps

  public init(
    sessions: [CallOutcome], isComplete: Bool = false, viewIsFresh: Bool = true, isFromMember: Bool = true,
    strays: [Incarnation] = [], stamps: WindowStamps
  ) {
    self.sessions = sessions
    self.isComplete = isComplete
    self.viewIsFresh = viewIsFresh
    self.isFromMember = isFromMember
    self.strays = strays
    self.stamps = stamps
  }
}

public struct CallOutcome: Hashable, Sendable {
  public let session: SessionID
  public let outcome: Outcome
  /// The epoch that the message was given to; `.none` when there is none.
  public let epoch: Epoch
  /// The pod's own words on why; empty when it gave none.
  public let detail: String
  /// What the pod did because the session's queue was full.
  public let slowPolicy: SlowPolicy?
  public init(
    session: SessionID, outcome: Outcome, epoch: Epoch, detail: String = "", slowPolicy: SlowPolicy? = nil
  ) {
    self.session = session
    self.outcome = outcome
    self.epoch = epoch
    self.detail = detail
    self.slowPolicy = slowPolicy
  }
}

/// Why a call has no answer.
public struct CallFailure: Error, Hashable, Sendable {
  public enum Kind: Hashable, Sendable {
    /// The pod could not be reached, or the connection broke.
    case unreachable
    /// The pod, or the Sender on its behalf, would not take the call.
    case refused
  }
  public let kind: Kind
  /// The message may have been delivered all the same.
  public let mayHaveArrived: Bool
  /// For people: why, and what to do.
  public let detail: String
  public init(kind: Kind, mayHaveArrived: Bool, detail: String) {
    self.kind = kind
    self.mayHaveArrived = mayHaveArrived
    self.detail = detail
  }
}
