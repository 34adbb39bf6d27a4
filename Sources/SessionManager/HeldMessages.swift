/// Messages for a session whose record names this pod already, and that is not welcomed yet.
///
/// Between the two a Sender that goes by the record comes here, while a session that moves still has its old stream
/// elsewhere. "Gone" would be wrong of a session that is never without a stream. So its messages wait for the Welcome,
/// which comes or is given up within moments, and the Sender's answer waits with them.
internal import Placement
internal import SessionEdge
internal import Sessions

struct HeldMessage: Sendable {
  let session: SessionID
  let epoch: Epoch
  let frame: MessageFrame
  let done: OneShot<SessionDelivery>
}

extension SessionHub.State {
  /// Takes the messages of sessions on their way out of `delivered.deliveries`, where they are "gone", into `held`.
  mutating func hold(
    _ targets: [DeliveryTarget], of user: UserID, _ frame: MessageFrame, _ delivered: inout SessionHub.Delivered
  ) {
    for target in targets {
      guard
        let index = delivered.deliveries.firstIndex(where: { $0.session == target.session && $0.outcome == .gone }),
        let stream = stream(admitting: SessionKey(user: user, session: target.session), from: target.epoch),
        let pending = admissions[stream]
      else { continue }
      // No more than fits behind the Welcome: so none of them is dropped again later, and no session ends for its pod's
      // being slow, whatever the policy.
      let waiting = pending.held.reduce(pending.welcome.count) { $0 + $1.frame.size.frameBytes }
      guard waiting + frame.size.frameBytes <= table.outboundLimit else {
        admissions[stream]?.lost += 1
        delivered.deliveries[index] = SessionDelivery(
          session: target.session, outcome: .slow, epoch: pending.record.epoch, slow: .droppedNewest(stream, tell: 0))
        continue
      }
      let message = HeldMessage(
        session: target.session, epoch: target.epoch, frame: frame, done: OneShot<SessionDelivery>())
      admissions[stream]?.held.append(message)
      delivered.deliveries.remove(at: index)
      delivered.held.append(message.done)
    }
  }

  private func stream(admitting key: SessionKey, from epoch: Epoch) -> StreamID? {
    guard table.isRegistering(key) else { return nil }
    return admissions.first { $0.value.record.key == key && $0.value.record.epoch >= epoch }?.key
  }

  /// Right behind the Welcome, in their order, and then word of those that were too many.
  mutating func deliverHeld(_ pending: PendingAdmission, on stream: StreamID, _ wakes: inout [any EdgeWake]) {
    for message in pending.held {
      let target = DeliveryTarget(session: message.session, epoch: message.epoch)
      let deliveries = table.deliver(to: pending.record.key.user, targets: [target], size: message.frame.size)
      for delivery in deliveries {
        if let wake = queue(message.frame, delivery) { wakes.append(wake) }
        message.done.succeed(delivery)
      }
    }
    if pending.lost > 0 { tell(table.messagesDropped(stream, pending.lost, bytes: 0), stream) }
  }

  /// It did not come to the welcome: the session is where it was, or nowhere, which the records say.
  func letGo(_ held: [HeldMessage]) {
    for message in held {
      message.done.succeed(SessionDelivery(session: message.session, outcome: .gone, epoch: .none))
    }
  }
}
