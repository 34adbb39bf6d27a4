/// Delivers what Senders bring. A batch is answered before the next one is read, so that the stream's flow control
/// bounds what waits here: delivery itself only queues, and never waits for a client.
internal import GRPCCore
internal import Placement
internal import Sessions
internal import Wire

struct DeliveryService: Pushring_V1_Delivery.SimpleServiceProtocol {
  let hub: SessionHub

  func deliver(
    request: RPCAsyncSequence<Pushring_V1_DeliverBatch, any Error>,
    response: RPCWriter<Pushring_V1_DeliverResultBatch>,
    context: ServerContext
  ) async throws {
    for try await batch in request { try await response.write(answer(batch)) }
  }

  private func answer(_ batch: Pushring_V1_DeliverBatch) -> Pushring_V1_DeliverResultBatch {
    hub.stampsSeen(WindowStamps(batch.window))
    // Encoded once, however many sessions the message goes to.
    let frames = batch.messages.map(MessageFrame.init)
    var answer = Pushring_V1_DeliverResultBatch()
    let incarnation = hub.incarnation
    var isMember = true
    answer.results = batch.requests.map { deliver($0, frames, &isMember) }
    // The same throughout, or what it says of strays is not of the one that was asked.
    if isMember, hub.incarnation == incarnation { answer.incarnation = incarnation?.rawValue ?? 0 }
    answer.window = Pushring_V1_ViewWindow(hub.window?.stamps ?? .none)
    return answer
  }

  private func deliver(
    _ request: Pushring_V1_DeliverRequest, _ frames: [MessageFrame], _ isMember: inout Bool
  ) -> Pushring_V1_DeliverResult {
    var result = Pushring_V1_DeliverResult()
    result.correlation = request.correlation
    guard request.messageIndex < frames.count else {
      result.error = "the request names message \(request.messageIndex), and the batch has \(frames.count)"
      return result
    }
    do {
      let user = try UserID(request.userID)
      let targets = try request.sessions.map {
        DeliveryTarget(session: try SessionID($0.sessionID), epoch: Epoch(rawValue: $0.epoch))
      }
      let frame = frames[Int(request.messageIndex)]
      let (deliveries, claim) = hub.deliver(to: user, targets: targets, frame: frame)
      result.sessions = deliveries.map {
        Pushring_V1_SessionResult($0, detail: $0.outcome == .refused ? tooLarge(frame.size) : "")
      }
      if let claim {
        result.complete = claim.isComplete
        result.strayIncarnations = claim.strays.map(\.rawValue)
      } else {
        isMember = false
      }
    } catch {
      result.error = "\(error)"
    }
    return result
  }

  private func tooLarge(_ size: MessageSize) -> String {
    "the payload has \(size.payloadBytes) bytes, and the pod takes at most \(hub.limits.messageBytes) (--max-message)"
  }
}

extension Pushring_V1_SessionResult {
  init(_ delivery: SessionDelivery, detail: String) {
    self.init()
    sessionID = delivery.session.text
    outcome = Pushring_V1_Outcome(delivery.outcome)
    epoch = delivery.epoch.rawValue
    self.detail = detail
  }
}
