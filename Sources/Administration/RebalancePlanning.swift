public import Placement
public import Rebalancing
internal import Wire

extension Fleet {
  /// What each pod holds, by the owners of the current view, as a plan.
  /// - Parameters:
  ///   - view: the current one.
  ///   - alsoSilent: pod ids of members that are not in this fleet, and that may hold sessions.
  public func plan(
    cluster: String, view: View, alsoSilent: [String] = [], parameters: RebalanceParameters
  ) async -> RebalancePlan {
    var request = Pushring_V1_CountSessionsRequest()
    request.userID = parameters.userID ?? ""
    let counts = await ask(incarnation: \.incarnation) { [request] client, options in
      try await client.countSessions(request, options: options)
    }
    let holdings = counts.answers.map { member, answer in
      RebalancePlan.Holding(
        member: member, limit: Int(clamping: answer.limit),
        owners: answer.owners.map { owner in
          .init(
            podID: owner.podID, sessions: Int(clamping: owner.sessions), movable: Int(clamping: owner.movable),
            olderThanOwner: Int(clamping: owner.olderThanOwner))
        })
    }
    return RebalancePlan(
      cluster: cluster, view: view, holdings: holdings, silent: counts.silent.map(\.pod) + alsoSilent,
      parameters: parameters)
  }
}
