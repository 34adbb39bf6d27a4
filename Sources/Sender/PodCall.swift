internal import Routing
internal import Sessions
internal import Wire

/// One Deliver call on its way to a pod.
struct PodCall: Sendable {
  let message: OutboundMessage
  let user: UserID
  let targets: CallTargets
  /// Called once, from any thread; must not block. Not called when `submit` refused the call or it was cancelled.
  let reply: @Sendable (Result<PodAnswer, CallFailure>) -> Void
}

/// What a pod answered.
struct PodAnswer: Sendable {
  let sessions: [CallOutcome]
  let isComplete: Bool
  let strays: [UInt64]
  /// The process that answered is the one that was asked, and is a member.
  let isFromMember: Bool
  /// Of the frame that the answer came in.
  let window: Pushring_V1_ViewWindow
}

extension PodCall {
  func request(correlation: UInt64, messageIndex: Int) -> Pushring_V1_DeliverRequest {
    var request = Pushring_V1_DeliverRequest()
    request.correlation = correlation
    request.messageIndex = UInt32(messageIndex)
    request.userID = user.text
    if case .sessions(let targets) = targets {
      request.sessions = targets.map { target in
        var wire = Pushring_V1_SessionTarget()
        wire.sessionID = target.session.text
        wire.epoch = target.epoch.rawValue
        return wire
      }
    }
    return request
  }
}

extension PodAnswer {
  /// What can't be read, as a newer pod's outcome, counts as refused: it must not count as delivered.
  init(_ result: Pushring_V1_DeliverResult, _ window: Pushring_V1_ViewWindow, isFromMember: Bool) {
    sessions = result.sessions.compactMap { wire in
      guard let session = try? SessionID(wire.sessionID) else { return nil }
      return CallOutcome(
        session: session, outcome: Outcome(wire.outcome) ?? .refused, epoch: Epoch(rawValue: wire.epoch),
        detail: wire.detail, slowPolicy: SlowPolicy(wire.slowPolicy))
    }
    isComplete = result.complete
    strays = result.strayIncarnations
    self.isFromMember = isFromMember
    self.window = window
  }
}
