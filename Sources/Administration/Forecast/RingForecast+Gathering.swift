internal import HashRing
public import Placement
internal import Wire

extension RingForecast {
  /// From what the pods hold now, each counting its own sessions by the ring as it is and as it would be.
  /// - Throws: `RingChangeError`.
  public static func gather(
    cluster: String, view: View, change: RingChange, timeout: Duration = .seconds(2)
  ) async throws -> RingForecast {
    let weights = try change.applied(to: view)
    // Said before anybody is asked, if it can't be.
    _ = try RingForecast(cluster: cluster, view: view, change: change, weights: weights, holdings: [], silent: [])
    var request = Pushring_V1_CountSessionsRequest()
    request.tokensPerWeight = UInt32(view.ring.tokensPerWeight)
    request.shareCapPercent = UInt32(view.ring.shareCap?.percent ?? 0)
    request.members = weights.sorted { $0.key < $1.key }.map { id, weight in
      var member = Pushring_V1_RingMemberWeight()
      member.podID = id
      member.weight = UInt32(weight)
      return member
    }
    let asked = await Fleet(view.members, timeout: timeout).ask(incarnation: { $0.now.incarnation }) {
      [request] _, client, options, progress in
      let now = try await client.countSessions(Pushring_V1_CountSessionsRequest(), options: options)
      progress.made()
      return Counts(now: now, then: try await client.countSessions(request, options: options))
    }
    let holdings = asked.answers.map { member, counts in
      Holding(
        podID: member.podID, limit: Int(clamping: counts.now.limit), now: counts.now.byOwner, then: counts.then.byOwner)
    }
    return try RingForecast(
      cluster: cluster, view: view, change: change, weights: weights, holdings: holdings, silent: asked.silent)
  }
}

private struct Counts: Sendable {
  let now: Pushring_V1_CountSessionsResult
  let then: Pushring_V1_CountSessionsResult
}

extension Pushring_V1_CountSessionsResult {
  fileprivate var byOwner: [String: RingForecast.Holding.Count] {
    Dictionary(
      owners.map { owner in
        (owner.podID, .init(sessions: Int(clamping: owner.sessions), movable: Int(clamping: owner.movable)))
      }
    ) { $1 }
  }
}
