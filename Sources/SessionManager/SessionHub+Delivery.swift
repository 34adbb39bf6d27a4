/// Messages out: what the table says of a push is done on the calls, and what became of it on the wire goes back.
internal import HashRing
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

  /// One Deliver request.
  struct DeliveryOrder: Sendable {
    let user: UserID
    let userHash: UInt64
    /// Empty for every session of the user.
    let targets: [DeliveryTarget]
    let frame: MessageFrame

    init(user: UserID, targets: [DeliveryTarget], frame: MessageFrame) {
      self.user = user
      userHash = keyHash(user.text.utf8)
      self.targets = targets
      self.frame = frame
    }
  }

  /// So many share the lock, and waking the edge; others that want the lock wait some 0.1 ms for these.
  private static let ordersAtOnce = 64

  /// - Returns: one for each order, in their order.
  func deliver(_ orders: [DeliveryOrder]) -> [Delivered] {
    var tally = DeliveryTally()
    var delivered: [Delivered] = []
    delivered.reserveCapacity(orders.count)
    var rest = orders[...]
    while !rest.isEmpty {
      let part = rest.prefix(Self.ordersAtOnce)
      rest = rest.dropFirst(part.count)
      let (some, wakes) = state.withLock { state in
        var wakes: [any EdgeWake] = []
        return (part.map { state.deliver($0, now: now, &wakes) }, wakes)
      }
      for wake in wakes { wake.wake() }
      for (order, became) in zip(part, some) {
        for delivery in became.deliveries { count(delivery, order.frame.size, &tally) }
        if !became.ended.isEmpty { end(became.ended) }
      }
      delivered += some
    }
    observer.delivered(tally)
    return delivered
  }

  func count(_ delivery: SessionDelivery, _ size: MessageSize, _ tally: inout DeliveryTally) {
    tally.add(delivery.outcome, bytes: size.frameBytes)
    if delivery.outcome == .slow, let slow = delivery.slow { observer.messagesDropped(1, slow.policy) }
  }

  private func end(_ slow: [EndedSession]) {
    for session in slow {
      later(.unregister(session.record))
      finish(session.call, session.stream, .tooSlow, user: session.record.key.user, droppingQueued: true)
    }
    reportWork.continuation.yield()
  }

  func bytesWritten(_ progress: [EdgeProgress]) {
    state.withLock { state in
      for part in progress {
        let stream = StreamID(rawValue: part.call)
        state.tell(state.table.bytesWritten(stream, part.bytes), stream)
      }
    }
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
  fileprivate mutating func deliver(
    _ order: SessionHub.DeliveryOrder, now: Duration, _ wakes: inout [any EdgeWake]
  ) -> SessionHub.Delivered {
    var delivered = SessionHub.Delivered(
      deliveries: table.deliver(to: order.user, targets: order.targets, size: order.frame.size),
      claim: placement?.claim(forUserHash: order.userHash, now: now))
    for delivery in delivered.deliveries {
      if let wake = queue(order.frame, delivery) { wakes.append(wake) }
      if let slow = delivery.slow, let session = handle(slow) { delivered.ended.append(session) }
    }
    if !order.targets.isEmpty, !admissions.isEmpty { hold(order.targets, of: order.user, order.frame, &delivered) }
    return delivered
  }

  func queue(_ frame: MessageFrame, _ delivery: SessionDelivery) -> (any EdgeWake)? {
    guard let stream = delivery.stream, let call = call(of: stream) else { return nil }
    return call.queue(frame.bytes, displacingBeyond: displacingLimit)
  }

  private var displacingLimit: Int? {
    switch table.limits.slowPolicy {
    case .dropNewest: nil
    case .dropOldest: table.outboundLimit
    // Displaces nothing, and is counted among what is dropped with the stream.
    case .disconnect: .max
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
