internal import Placement
internal import Routing
internal import Sessions

// The Sender's interface has types of its own, so that what routes a push can change without breaking who embeds it.

extension PushResult {
  init(_ push: PreparedPush, _ result: RouteResult, view: ViewStamp, duration: Duration) {
    self.init(
      user: push.user.text, messageID: push.message.id, route: Route(result.route),
      completeness: result.completeness == .complete ? .complete : .unknown, reason: result.reason,
      deliverRPCs: result.deliverRPCs, registryReads: result.registryReads,
      sessions: result.results.map(SessionOutcome.init), viewVersion: view.version, viewDigest: view.digest,
      duration: duration)
  }
}

extension PushResult.Route {
  init(_ route: Routing.Route) {
    switch route {
    case .ring: self = .ring
    case .directory: self = .directory
    case .scatter: self = .scatter
    case .modulo: self = .modulo
    }
  }
}

extension SessionOutcome {
  init(_ session: RoutedSession) {
    self.init(
      session: session.session.text, pod: session.podID, outcome: Outcome(session.outcome), detail: session.detail,
      slowPolicy: session.slowPolicy.map(SlowPolicy.init))
  }
}

extension SessionOutcome.SlowPolicy {
  init(_ policy: Sessions.SlowPolicy) {
    switch policy {
    case .dropNewest: self = .dropNewest
    case .dropOldest: self = .dropOldest
    case .disconnect: self = .disconnect
    }
  }
}

extension SessionOutcome.Outcome {
  init(_ outcome: Sessions.Outcome) {
    switch outcome {
    case .delivered: self = .delivered
    case .slow: self = .slow
    case .gone: self = .gone
    case .refused: self = .refused
    case .unreachable: self = .unreachable
    }
  }
}
