import Placement
import Sessions

// What the pods say.

extension PushRoute {
  mutating func answered(_ id: CallID, _ answer: CallAnswer) -> [RouteDirective] {
    guard let call = calls.removeValue(forKey: id) else { return [] }
    note(answer, of: call)
    guard phase == .askingFirst, request.strategy == .ring else { return advance() }
    if isTrusted(answer), ledger.hasAccepted { return request.audits == nil ? finish() : readForAudit() }
    if answer.stamps.current.version > window.current.stamp.version, !hasRefreshedOwner {
      hasRefreshedOwner = true
      phase = .refreshingOwner
      return [.refreshView]
    }
    return advance()
  }

  mutating func callFailed(_ id: CallID, _ failure: CallFailure) -> [RouteDirective] {
    guard let call = calls.removeValue(forKey: id) else { return [] }
    noteFailure(call, failure)
    return advance()
  }

  /// "Complete" counts only from a pod that is not behind the settled view, and only while our own view is fresh.
  private func isTrusted(_ answer: CallAnswer) -> Bool {
    guard answer.isComplete, answer.viewIsFresh else { return false }
    let settled = window.settled.stamp
    let theirs = answer.stamps.current
    return theirs.version > settled.version || theirs == settled
  }

  private mutating func note(_ answer: CallAnswer, of call: Call) {
    for outcome in answer.sessions where isTarget(outcome.session) { note(outcome, of: call) }
    noteSilence(about: call, answered: Set(answer.sessions.map(\.session)))
    guard call.targets == everything else { return }
    answeredInFull.insert(call.member.incarnation)
    // Only here: whom the records send us to answers for its own sessions, and the records for the rest.
    strays.formUnion(answer.strays)
    if !answer.isFromMember {
      doubts.append("pod \(call.member.podID) is no member any more, so it could not say where else sessions are")
    }
  }

  private mutating func note(_ outcome: CallOutcome, of call: Call) {
    let asked = call.epochAsked(of: outcome.session)
    let hasStream = outcome.outcome == .delivered || outcome.outcome == .slow || outcome.outcome == .refused
    let attempt = SessionLedger.Attempt(
      outcome: outcome.outcome, incarnation: call.member.incarnation, podID: call.member.podID,
      epoch: hasStream ? max(outcome.epoch, asked) : asked,
      detail: outcome.detail.isEmpty ? detail(of: outcome.outcome) : outcome.detail, slowPolicy: outcome.slowPolicy)
    if hasStream {
      ledger.accepted(outcome.session, attempt)
    } else {
      ledger.failed(outcome.session, attempt)
      if call.followsRecords { recordsMayBeOld = true }
    }
  }

  /// A pod answers for each session that it was asked for; one that doesn't is not believed to have delivered.
  private mutating func noteSilence(about call: Call, answered: Set<SessionID>) {
    guard case .sessions(let targets) = call.targets else { return }
    for target in targets where !answered.contains(target.session) {
      ledger.failed(
        target.session,
        .init(
          outcome: .unreachable, incarnation: call.member.incarnation, podID: call.member.podID, epoch: target.epoch,
          detail: "pod \(call.member.podID) answered without a word on this session"))
      doubts.append("pod \(call.member.podID) left out a session that it was asked for")
    }
  }

  mutating func noteFailure(_ call: Call, _ failure: CallFailure) {
    failures[call.member.incarnation] = failure
    if call.followsRecords && failure.kind == .unreachable { recordsMayBeOld = true }
    // What this pod alone may know: its sessions, and as the owner the strays that are not in the records (yet), because
    // they were welcomed while the registry was away.
    if call.targets == everything { doubts.append("pod \(call.member.podID) did not answer") }
    guard case .sessions(let targets) = call.targets else { return }
    for target in targets { ledger.failed(target.session, .init(failure, call.member, target.epoch)) }
  }

  func isTarget(_ session: SessionID) -> Bool {
    guard case .session(let only) = request.target else { return true }
    return session == only
  }

  private func detail(of outcome: Outcome) -> String {
    switch outcome {
    case .delivered: ""
    case .slow: "its outbound queue is full: the device reads too slowly"
    case .gone: "the pod has no such session any more"
    case .refused: "the pod would not take the message"
    case .unreachable: "the pod could not reach it"
    }
  }
}

extension PushRoute.Call {
  func epochAsked(of session: SessionID) -> Epoch {
    guard case .sessions(let targets) = targets else { return .none }
    return targets.first { $0.session == session }?.epoch ?? .none
  }
}

extension SessionLedger.Attempt {
  init(_ failure: CallFailure, _ member: Member, _ epoch: Epoch) {
    self.init(
      outcome: failure.kind == .unreachable ? .unreachable : .refused, incarnation: member.incarnation,
      podID: member.podID, epoch: epoch, detail: failure.detail)
  }
}
