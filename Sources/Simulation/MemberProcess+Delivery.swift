import Placement
import Routing
import Sessions

// SessionHub and HeldMessages, re-enacted: what Senders bring.

extension MemberProcess {
  /// A Sender's call; what it says of the user's sessions is of one step. The answer waits for sessions that are about to be
  /// welcomed.
  /// - Parameter asked: whom the Sender takes this process to be.
  func deliver(
    _ push: Push, _ targets: CallTargets, _ stamps: WindowStamps, asked: Incarnation,
    answer: @escaping (CallAnswer) -> Void
  ) {
    stampsSeen(stamps)
    let wanted: [DeliveryTarget] =
      switch targets {
      case .allSessions: []
      case .sessions(let targets): targets.map { DeliveryTarget(session: $0.session, epoch: $0.epoch) }
      }
    var deliveries = table.deliver(to: push.user.id, targets: wanted, size: MessageSize(payloadBytes: 0, frameBytes: 1))
    for delivery in deliveries { reached(delivery, by: push) }
    let claim = claim(push.user.hash)
    if let claim {
      if claim.isComplete { world.tell("\(name) answers push \(push.number): complete") }
      world.checker.claimed(claim, by: self, push.user.hash, world)
    }
    let (isFromMember, stamps) = (claim != nil && incarnation == asked, window?.stamps ?? .none)
    let onTheirWay =
      isBroken(.moveHold)
      ? []
      : wanted.filter { target in
        deliveries.contains { $0.session == target.session && $0.outcome == .gone }
          && stream(admitting: target, of: push.user.id) != nil
      }
    deliveries.removeAll { delivery in onTheirWay.contains { $0.session == delivery.session } }
    let all = AllDone(count: onTheirWay.count) {
      answer(
        CallAnswer(
          sessions: deliveries.map { CallOutcome(session: $0.session, outcome: $0.outcome, epoch: $0.epoch) },
          isComplete: claim?.isComplete ?? false, isFromMember: isFromMember, strays: claim?.strays ?? [],
          stamps: stamps))
    }
    for target in onTheirWay {
      guard let stream = stream(admitting: target, of: push.user.id) else { continue }
      world.tell("\(name) holds push \(push.number) for \(push.user.id)/\(target.session)")
      admissions[stream]?.held.append(
        HeldMessage(target: target, push: push) { delivery in
          deliveries.append(delivery)
          all.oneDone()
        })
    }
  }

  private func reached(_ delivery: SessionDelivery, by push: Push) {
    guard let stream = delivery.stream, let trace = streams[stream]?.trace else { return }
    push.reached.insert(stream)
    table.bytesWritten(stream, 1)
    world.tell("push \(push.number) reaches \(trace.name) on \(name)")
  }

  private func stream(admitting target: DeliveryTarget, of user: UserID) -> StreamID? {
    let key = SessionKey(user: user, session: target.session)
    guard table.isRegistering(key) else { return nil }
    return admissions.filter { $0.value.record.key == key && $0.value.record.epoch >= target.epoch }.keys.min {
      $0.rawValue < $1.rawValue
    }
  }

  /// Right behind the Welcome.
  func deliver(_ held: [HeldMessage], _ record: SessionRecord) {
    for message in held {
      let deliveries = table.deliver(
        to: record.key.user, targets: [message.target], size: MessageSize(payloadBytes: 0, frameBytes: 1))
      for delivery in deliveries {
        reached(delivery, by: message.push)
        message.done(delivery)
      }
    }
  }

  /// It did not come to the welcome: the session is where it was, or nowhere, which the records say.
  func letGo(_ held: [HeldMessage]) {
    for message in held {
      message.done(SessionDelivery(session: message.target.session, outcome: .gone, epoch: .none, stream: nil))
    }
  }
}
