/// A Sender's metrics by swift-metrics.
internal import Metrics

public final class SenderMetrics: SenderObserver {
  private let refused: [PushError.Code: Counter]
  private let pushes: [PushKind: Counter]
  private let outcomes: [SessionOutcome.Outcome: Counter]
  private let deliverCalls = Counter(label: "pushring_push_deliver_rpcs_total")
  private let registryReads = Counter(label: "pushring_push_registry_reads_total")
  private let audits = Counter(label: "pushring_audits_total")
  private let auditMisses = Counter(label: "pushring_audit_missed_sessions_total")
  private let batches = Counter(label: "pushring_deliver_batches_total")
  private let batchedCalls = Counter(label: "pushring_deliver_batched_calls_total")
  private let duration = Metrics.Timer(label: "pushring_push_duration_seconds")
  private let inFlight = Gauge(label: "pushring_pushes_in_flight")
  private let linksUpGauge = Gauge(label: "pushring_pod_links", dimensions: [("state", "up")])
  private let linksDownGauge = Gauge(label: "pushring_pod_links", dimensions: [("state", "down")])

  private struct PushKind: Hashable {
    let route: PushResult.Route
    let completeness: PushResult.Completeness
  }

  public init() {
    refused = Dictionary(
      uniqueKeysWithValues: PushError.Code.allCases.map {
        ($0, Counter(label: "pushring_pushes_refused_total", dimensions: [("code", $0.rawValue)]))
      })
    outcomes = Dictionary(
      uniqueKeysWithValues: SessionOutcome.Outcome.allCases.map {
        ($0, Counter(label: "pushring_push_outcomes_total", dimensions: [("outcome", $0.rawValue)]))
      })
    var pushes: [PushKind: Counter] = [:]
    for route in PushResult.Route.allCases {
      for completeness in PushResult.Completeness.allCases {
        pushes[PushKind(route: route, completeness: completeness)] = Counter(
          label: "pushring_pushes_total",
          dimensions: [("route", route.rawValue), ("completeness", completeness.rawValue)])
      }
    }
    self.pushes = pushes
  }

  public func pushEnded(_ result: PushResult) {
    pushes[PushKind(route: result.route, completeness: result.completeness)]?.increment()
    for session in result.sessions { outcomes[session.outcome]?.increment() }
    deliverCalls.increment(by: result.deliverRPCs)
    registryReads.increment(by: result.registryReads)
    let (seconds, attoseconds) = result.duration.components
    duration.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
  }

  public func pushRefused(_ code: PushError.Code) { refused[code]?.increment() }
  public func pushesInFlight(_ count: Int) { inFlight.record(count) }

  public func audited(missedSessions: Int) {
    audits.increment()
    auditMisses.increment(by: missedSessions)
  }

  public func batchSent(calls: Int) {
    batches.increment()
    batchedCalls.increment(by: calls)
  }

  public func linksUp(_ up: Int, of all: Int) {
    linksUpGauge.record(up)
    linksDownGauge.record(all - up)
  }
}
