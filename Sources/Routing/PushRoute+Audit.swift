import Placement
import Sessions

// A share of the claims is compared with the registry: the figure of disagreements must stay 0.

/// What became of the comparison.
public enum RouteAudit: Hashable, Sendable {
  /// Not chosen, or the registry did not answer.
  case none
  case agreed
  /// So many sessions were open elsewhere although the owner had said "complete".
  case disagreed(Int)
}

extension PushRoute {
  mutating func readForAudit() -> [RouteDirective] {
    phase = .auditing
    registryReads += 1
    return [.readRecords]
  }

  /// A record that the owner's answer does not cover may be of a session that is only now being welcomed, or that has
  /// ended: whether its pod delivers to it, and its age, tell. The message is brought there in any case.
  mutating func audited(_ records: [SessionRecord]) -> [RouteDirective] {
    audit = .agreed
    let missing = records.filter { record in
      isTarget(record.key.session) && window.current.member(record.incarnation) != nil && !ledger.hasAccepted(record)
    }
    guard !missing.isEmpty else { return finish() }
    for record in missing { contradictions[record.key.session] = record.epoch }
    phase = .reading
    route = .directory
    return recordsRead(records)
  }

  func auditResult(_ results: [RoutedSession]) -> RouteAudit {
    guard audit == .agreed, let audits = request.audits else { return audit }
    let missed = results.count { result in
      guard result.outcome == .delivered, let epoch = contradictions[result.session] else { return false }
      return epoch < audits.epochsBefore
    }
    return missed == 0 ? .agreed : .disagreed(missed)
  }

  mutating func ownerRefreshed(_ refreshed: Window?) -> [RouteDirective] {
    if let refreshed { window = refreshed }
    guard let owner = window.current.owner(ofUserHash: request.userHash),
      !answeredInFull.contains(owner.incarnation), failures[owner.incarnation] == nil
    else { return readRecords() }
    phase = .askingFirst
    return [call(owner, everything, followsRecords: false)]
  }
}
