/// What other pods call: the receiving half of stray reports.
internal import GRPCCore
internal import Placement
internal import Synchronization
internal import Wire

struct PlacementService: Pushring_V1_Placement.SimpleServiceProtocol {
  let hub: SessionHub

  func record(request: Pushring_V1_StrayReport, context: ServerContext) async throws -> Pushring_V1_StrayReceipt {
    guard request.userHashes.count == request.retractions.count else {
      throw RPCError(code: .invalidArgument, message: "user_hashes and retractions differ in length")
    }
    hub.stampsSeen(WindowStamps(request.window))
    let answer = hub.record(StrayReport(request))
    var receipt = Pushring_V1_StrayReceipt()
    receipt.window = Pushring_V1_ViewWindow(hub.window?.stamps ?? .none)
    receipt.owner = answer.owner?.rawValue ?? 0
    receipt.reachesRegistry = answer.reachesRegistry
    if let recorded = answer.receipt {
      receipt.series = recorded.series
      receipt.recordedThrough = recorded.recordedThrough
    }
    return receipt
  }
}

extension SessionHub {
  /// Records a report that is meant for this incarnation.
  func record(_ report: StrayReport) -> (owner: Incarnation?, reachesRegistry: Bool, receipt: StrayReceipt?) {
    state.withLock { state in
      guard let owner = state.placement?.incarnation else { return (nil, state.reachesRegistry, nil) }
      guard owner == report.owner else { return (owner, state.reachesRegistry, nil) }
      return (owner, state.reachesRegistry, state.placement?.record(report))
    }
  }
}

extension StrayReport {
  init(_ wire: Pushring_V1_StrayReport) {
    self.init(
      reporter: Incarnation(rawValue: wire.reporter), owner: Incarnation(rawValue: wire.owner), series: wire.series,
      startsOver: wire.startsOver, firstNumber: wire.firstNumber,
      entries: zip(wire.userHashes, wire.retractions).map { StrayEntry(userHash: $0, isRetraction: $1) })
  }
}

extension Pushring_V1_StrayReport {
  init(_ report: StrayReport, _ stamps: WindowStamps) {
    self.init()
    window = Pushring_V1_ViewWindow(stamps)
    reporter = report.reporter.rawValue
    owner = report.owner.rawValue
    series = report.series
    startsOver = report.startsOver
    firstNumber = report.firstNumber
    userHashes = report.entries.map(\.userHash)
    retractions = report.entries.map(\.isRetraction)
  }
}
