/// Messages out: what the table says of a push is done on the calls, and what became of it on the wire goes back.
internal import Placement
internal import Rebalancing
internal import SessionEdge
internal import Sessions
internal import Synchronization

extension SessionHub {
  /// What became of one Deliver request.
  struct Delivered: Sendable {
    var deliveries: [SessionDelivery]
    /// What this pod can say of the user's other sessions, as of the same moment; nil while it is no member.
    let claim: Claim?
    /// For sessions that are about to be welcomed: their messages follow the Welcome, and the outcomes the messages.
    var held: [OneShot<SessionDelivery>] = []
    /// Streams to end for being slow.
    fileprivate var ended: [EndedSession] = []
  }

  func deliver(to user: UserID, targets: [DeliveryTarget], frame: MessageFrame) -> Delivered {
    let hash = hash(of: user)
    let delivered = state.withLock { state in
      var delivered = Delivered(
        deliveries: state.table.deliver(to: user, targets: targets, size: frame.size),
        claim: state.placement?.claim(forUserHash: hash, now: now))
      for delivery in delivered.deliveries {
        state.send(frame, delivery)
        if let slow = delivery.slow, let session = state.handle(slow) { delivered.ended.append(session) }
      }
      if !targets.isEmpty, !state.admissions.isEmpty { state.hold(targets, of: user, frame, &delivered) }
      return delivered
    }
    for delivery in delivered.deliveries { count(delivery, frame) }
    if !delivered.ended.isEmpty { end(delivered.ended) }
    return delivered
  }

  private func count(_ delivery: SessionDelivery, _ frame: MessageFrame) {
    observer.delivered(delivery.outcome, bytes: frame.size.frameBytes)
    if delivery.outcome == .slow, let slow = delivery.slow { observer.messagesDropped(1, slow.policy) }
  }

  private func end(_ slow: [EndedSession]) {
    for session in slow {
      later(.unregister(session.record))
      finish(session.call, session.stream, .tooSlow, user: session.record.key.user, droppingQueued: true)
    }
    reportWork.continuation.yield()
  }

  func bytesWritten(_ call: any EdgeCall, _ count: Int) {
    let stream = StreamID(rawValue: call.id)
    state.withLock { state in state.tell(state.table.bytesWritten(stream, count), stream) }
  }

  /// To make room, or because the stream was ended for being slow.
  func messagesDropped(_ call: any EdgeCall, _ count: Int, bytes: Int) {
    let stream = StreamID(rawValue: call.id)
    state.withLock { state in state.tell(state.table.messagesDropped(stream, count, bytes: bytes), stream) }
    observer.messagesDropped(count, limits.slowPolicy)
  }

  /// Before a stream ends in good order, because its session has moved for instance: no loss goes untold.
  func lastMessage(_ call: any EdgeCall) -> [UInt8]? {
    let lost = state.withLock { $0.table.takeUntoldLoss(of: StreamID(rawValue: call.id)) }
    return lost > 0 ? droppedFrame(messages: lost) : nil
  }
}

/// A stream that was given up for being slow.
private struct EndedSession: Sendable {
  let call: any EdgeCall
  let stream: StreamID
  let record: SessionRecord
}

extension SessionHub.State {
  func send(_ frame: MessageFrame, _ delivery: SessionDelivery) {
    guard let stream = delivery.stream, let call = call(of: stream) else { return }
    switch table.limits.slowPolicy {
    case .dropNewest: call.send(frame.bytes)
    case .dropOldest: call.send(frame.bytes, displacingBeyond: table.limits.outboundBytes)
    // Displaces nothing, and is counted among what is dropped with the stream.
    case .disconnect: call.send(frame.bytes, displacingBeyond: .max)
    }
  }

  fileprivate mutating func handle(_ slow: SessionDelivery.OnSlow) -> EndedSession? {
    switch slow {
    case .droppedNewest(let stream, let lost): tell(lost, stream)
    case .dropsOldest: break
    case .disconnected(let stream, let record):
      mover.closed(record.key, stream)
      return drop(stream).map { EndedSession(call: $0, stream: stream, record: record) }
    }
    return nil
  }

  /// The client that it has lost messages, if there are any to be told of.
  mutating func tell(_ lost: UInt32, _ stream: StreamID) {
    guard lost > 0, let call = call(of: stream) else { return }
    let frame = droppedFrame(messages: lost)
    table.lossTold(stream, frameBytes: frame.count)
    call.send(frame)
  }
}

extension StreamEnd {
  static let tooSlow = StreamEnd(
    .slow, "the client reads too slowly: its queue was full, and what was in it was dropped (--slow-policy disconnect)")
}
