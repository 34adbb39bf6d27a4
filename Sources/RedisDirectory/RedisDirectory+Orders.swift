public import Placement
internal import RedisClient

// What operators order, and what pods find out of it: each renewal tells the number of the newest order.

extension RedisDirectory {
  /// What was ordered; nil when nobody ever joined the cluster.
  public func orders() async throws(DirectoryError) -> Orders? { try await order(["read"]) }

  /// Orders a weight or a state for a pod, by its id; nil leaves as it is what was ordered before.
  /// - Parameter weight: 1 to 100; 0: the pod's own.
  /// - Returns: nil when no member has that pod id, and none had an order.
  public func order(pod podID: String, weight: Int? = nil, state: PodOrderState? = nil)
    async throws(DirectoryError) -> Orders?
  {
    try MemberDescription.check(podID: podID)
    let weightText = weight.map { $0 == 0 ? "own" : String($0) } ?? ""
    return try await order([
      "pod", RedisArgument(podID), RedisArgument(weightText), RedisArgument(state?.rawValue ?? ""),
    ])
  }

  /// Whether pods bring strays home by themselves; nil when nobody ever joined the cluster.
  public func order(homing: Bool) async throws(DirectoryError) -> Orders? {
    try await order(["homing", homing ? "on" : "off"])
  }

  private func order(_ arguments: [RedisArgument]) async throws(DirectoryError) -> Orders? {
    var reply = try await callMembership(Scripts.order, arguments)
    guard reply.status == "ordered" else { return nil }
    let number = try reply.rest.number()
    let homing = try reply.rest.text() != "off"
    var pods: [PodOrder] = []
    while !reply.rest.isAtEnd {
      let podID = try reply.rest.text()
      let weight = Int(try reply.rest.text())
      guard let state = PodOrderState(rawValue: try reply.rest.text()) else {
        throw reply.rest.unexpected("the order for pod \(podID.prefix(200)) has no known state")
      }
      pods.append(PodOrder(podID: podID, weight: weight, state: state))
    }
    return Orders(number: number, homing: homing, pods: pods)
  }
}

// MARK: - Rebalances

extension RedisDirectory {
  /// - Parameters:
  ///   - id: of the caller's choice; no other rebalance may have it.
  ///   - limit: when it is not over by then, it is stopped.
  public func startRebalance(
    id: String, view: ViewStamp, parameters: String, limit: Duration,
    sources: [(incarnation: Incarnation, planned: Int)]
  ) async throws(DirectoryError) -> RebalanceStart {
    let lines = sources.map { "\($0.incarnation)\t\($0.planned)\n" }.joined()
    var reply = try await callMembership(
      Scripts.rebalance,
      [
        "start", RedisArgument(id), RedisArgument(view.version), RedisArgument(view.digestText),
        RedisArgument(parameters), RedisArgument(limit.microseconds), RedisArgument(lines),
      ])
    switch reply.status {
    case "stale": return .stale(current: try stamp(from: &reply.rest))
    case "busy": return .busy(try rebalanceJob(&reply.rest))
    case "job": return .started(try rebalanceJob(&reply.rest))
    default: throw reply.rest.unexpected("status \"\(reply.status.prefix(40))\"")
    }
  }

  /// The rebalance that is under way, or was last; nil when there was none.
  public func rebalance() async throws(DirectoryError) -> RebalanceJob? { try await rebalance(["read", ""]) }

  /// Asks for the end of the one that is under way.
  /// - Returns: as it is now; nil when there is none, or none of that id.
  public func stopRebalance(id: String? = nil) async throws(DirectoryError) -> RebalanceJob? {
    try await rebalance(["stop", RedisArgument(id ?? "")])
  }

  /// What a pod has done for a rebalance so far.
  /// - Returns: nil when it is not the cluster's rebalance any more.
  public func reportRebalance(_ id: String, _ source: RebalanceJob.Source) async throws(DirectoryError) -> RebalanceJob?
  {
    try await rebalance([
      "progress", RedisArgument(id), RedisArgument(source.incarnation.rawValue),
      RedisArgument("\(source.moved) \(source.failed) \(source.ended) \(source.left)"), source.isDone ? "1" : "0",
    ])
  }

  private func rebalance(_ arguments: [RedisArgument]) async throws(DirectoryError) -> RebalanceJob? {
    var reply = try await callMembership(Scripts.rebalance, arguments)
    guard reply.status == "job" else { return nil }
    return try rebalanceJob(&reply.rest)
  }

  private func rebalanceJob(_ reply: inout Reply) throws(DirectoryError) -> RebalanceJob {
    let id = try reply.text()
    guard let state = RebalanceJob.State(rawValue: try reply.text()) else {
      throw reply.unexpected("a rebalance in no known state")
    }
    let view = try stamp(from: &reply)
    let parameters = try reply.text()
    let started = try reply.microseconds()
    let ended = try reply.microseconds()
    let now = try reply.microseconds()
    var sources: [RebalanceJob.Source] = []
    while !reply.isAtEnd {
      let incarnation = Incarnation(rawValue: try reply.number())
      let planned = Int(clamping: try reply.number())
      let progress = try reply.text().split(separator: " ").compactMap { Int($0) }
      guard progress.count == 4 else { throw reply.unexpected("the progress of incarnation \(incarnation)") }
      sources.append(
        RebalanceJob.Source(
          incarnation: incarnation, planned: planned, moved: progress[0], failed: progress[1], ended: progress[2],
          left: progress[3], isDone: try reply.text() == "1"))
    }
    return RebalanceJob(
      id: id, state: state, view: view, parameters: parameters,
      lasted: max(.zero, (ended == .zero ? now : ended) - started), sources: sources)
  }
}
