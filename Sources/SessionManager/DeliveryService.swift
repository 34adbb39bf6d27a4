/// Delivers what Senders bring. A batch is answered before the next one is read, so that the stream's flow control
/// bounds what waits here: delivery itself only queues, and never waits for a client. What waits for a session's Welcome is
/// answered later, in a batch of its own; admissions are bounded in number and time, and so is this.
internal import GRPCCore
internal import Placement
internal import SessionEdge
internal import Sessions
internal import Wire

struct DeliveryService: Pushring_V1_Delivery.SimpleServiceProtocol {
  let hub: SessionHub

  func deliver(
    request: RPCAsyncSequence<Pushring_V1_DeliverBatch, any Error>,
    response: RPCWriter<Pushring_V1_DeliverResultBatch>,
    context: ServerContext
  ) async throws {
    try await withThrowingDiscardingTaskGroup { group in
      for try await batch in request {
        let (answer, late) = answer(batch)
        if !answer.results.isEmpty || late.isEmpty { try await response.write(answer) }
        for late in late {
          group.addTask { try await response.write(await self.answer(late, like: answer)) }
        }
      }
    }
  }

  /// An answer that has to wait for a Welcome.
  private struct LateAnswer: Sendable {
    var result: Pushring_V1_DeliverResult
    let size: MessageSize
    let held: [OneShot<SessionDelivery>]
  }

  private func answer(_ late: LateAnswer, like first: Pushring_V1_DeliverResultBatch) async
    -> Pushring_V1_DeliverResultBatch
  {
    var late = late
    var tally = DeliveryTally()
    // Each is settled when its admission is, which has a limit of its own.
    for held in late.held {
      guard let delivery = try? await held.value() else { continue }
      hub.count(delivery, late.size, &tally)
      late.result.sessions.append(Pushring_V1_SessionResult(delivery, detail: detail(of: delivery, late.size)))
    }
    hub.observer.delivered(tally)
    var answer = first
    answer.results = [late.result]
    return answer
  }

  private func answer(_ batch: Pushring_V1_DeliverBatch) -> (Pushring_V1_DeliverResultBatch, [LateAnswer]) {
    hub.stampsSeen(WindowStamps(batch.window))
    // Encoded once, however many sessions the message goes to.
    let frames = batch.messages.map(MessageFrame.init)
    var answer = Pushring_V1_DeliverResultBatch()
    let incarnation = hub.incarnation
    let orders = batch.requests.map { request in
      Result { try SessionHub.DeliveryOrder(request, frames) }
    }
    var isMember = true
    var late: [LateAnswer] = []
    var delivered = hub.deliver(orders.compactMap { try? $0.get() }).makeIterator()
    answer.results.reserveCapacity(batch.requests.count)
    for (request, order) in zip(batch.requests, orders) {
      switch order {
      case .failure(let error):
        answer.results.append(Pushring_V1_DeliverResult(request.correlation, error: "\(error)"))
      case .success(let order):
        guard let became = delivered.next() else { continue }
        if became.claim == nil { isMember = false }
        let result = result(of: became, order.frame.size, request.correlation)
        if became.held.isEmpty {
          answer.results.append(result)
        } else {
          late.append(LateAnswer(result: result, size: order.frame.size, held: became.held))
        }
      }
    }
    // The same throughout, or what it says of strays is not of the one that was asked.
    if isMember, hub.incarnation == incarnation { answer.incarnation = incarnation?.rawValue ?? 0 }
    answer.window = Pushring_V1_ViewWindow(hub.window?.stamps ?? .none)
    return (answer, late)
  }

  private func result(
    of delivered: SessionHub.Delivered, _ size: MessageSize, _ correlation: UInt64
  ) -> Pushring_V1_DeliverResult {
    var result = Pushring_V1_DeliverResult()
    result.correlation = correlation
    result.sessions = delivered.deliveries.map { Pushring_V1_SessionResult($0, detail: detail(of: $0, size)) }
    if let claim = delivered.claim {
      result.complete = claim.isComplete
      result.strayIncarnations = claim.strays.map(\.rawValue)
    }
    return result
  }

  /// For people; the usual one has none.
  private func detail(of delivery: SessionDelivery, _ size: MessageSize) -> String {
    if let slow = delivery.slow { return detail(of: slow.policy) }
    guard delivery.outcome == .refused else { return "" }
    return
      "the payload has \(size.payloadBytes) bytes, and the pod takes at most \(hub.limits.messageBytes) (--max-message)"
  }

  private func detail(of policy: SlowPolicy) -> String {
    let what =
      switch policy {
      case .dropNewest: "this message was dropped"
      case .dropOldest: "its oldest messages made room"
      case .disconnect: "its stream was ended"
      }
    return
      "its queue of \(hub.limits.outboundBytes) bytes was full (or less, while much waits in this pod: "
      + "--outbound-total-limit), as the device reads too slowly: \(what) (--slow-policy \(policy.rawValue))"
  }
}

/// A request that says nothing that could be done.
private struct BadRequest: Error, CustomStringConvertible {
  let description: String
}

extension SessionHub.DeliveryOrder {
  fileprivate init(_ request: Pushring_V1_DeliverRequest, _ frames: [MessageFrame]) throws {
    guard request.messageIndex < frames.count else {
      throw BadRequest(
        description: "the request names message \(request.messageIndex), and the batch has \(frames.count)")
    }
    self.init(
      user: try UserID(request.userID),
      targets: try request.sessions.map {
        DeliveryTarget(session: try SessionID($0.sessionID), epoch: Epoch(rawValue: $0.epoch))
      },
      frame: frames[Int(request.messageIndex)])
  }
}

extension Pushring_V1_DeliverResult {
  fileprivate init(_ correlation: UInt64, error: String) {
    self.init()
    self.correlation = correlation
    self.error = error
  }
}

extension Pushring_V1_SessionResult {
  init(_ delivery: SessionDelivery, detail: String) {
    self.init()
    sessionID = delivery.session.text
    outcome = Pushring_V1_Outcome(delivery.outcome)
    epoch = delivery.epoch.rawValue
    self.detail = detail
    slowPolicy = Pushring_V1_SlowPolicy(delivery.slow?.policy)
  }
}
