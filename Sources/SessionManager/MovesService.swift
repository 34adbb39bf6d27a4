/// What other pods call when they want to send sessions here.
internal import GRPCCore
internal import Placement
internal import Rebalancing
internal import SessionEdge
internal import Wire

struct MovesService: Pushring_V1_Moves.SimpleServiceProtocol {
  let hub: SessionHub

  func offer(request: Pushring_V1_MoveOffer, context: ServerContext) async throws -> Pushring_V1_MoveGrant {
    hub.stampsSeen(WindowStamps(request.window))
    var grant = Pushring_V1_MoveGrant()
    grant.window = Pushring_V1_ViewWindow(hub.window?.stamps ?? .none)
    grant.target = hub.incarnation?.rawValue ?? 0
    let answer = hub.offered(
      Int(request.count), deadline: .milliseconds(Int64(request.deadlineMillis)),
      target: Incarnation(rawValue: request.target))
    grant.granted = UInt32(clamping: answer?.granted ?? 0)
    grant.retryAfterMillis = UInt32(clamping: (answer?.retryAfter ?? .seconds(1)).milliseconds)
    return grant
  }
}
