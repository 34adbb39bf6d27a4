/// A pod's metrics by swift-metrics. Docs/configuration.md lists the names.
internal import Metrics
public import Sessions

public final class MetricsObserver: SessionManagerObserver {
  private let sessions = Gauge(label: "pushring_sessions")
  private let streams = Gauge(label: "pushring_streams")
  private let queuedBytes = Gauge(label: "pushring_outbound_queued_bytes")
  private let leaseLeft = Gauge(label: "pushring_lease_left_seconds")
  private let strays = Gauge(label: "pushring_strays")
  private let viewSettled = Gauge(label: "pushring_view_settled")
  private let welcomes = Counter(label: "pushring_sessions_welcomed_total")
  private let registration = Timer(label: "pushring_registration_seconds")
  private let deliveredBytes = Counter(label: "pushring_delivered_bytes_total")
  private let acknowledgements = Counter(label: "pushring_messages_acknowledged_total")
  private let renewals = Counter(label: "pushring_renewals_total", dimensions: [("result", "renewed")])
  private let failedRenewals = Counter(label: "pushring_renewals_total", dimensions: [("result", "failed")])
  private let resumes = Counter(label: "pushring_resumes_total")
  private let restoredRecords = Counter(label: "pushring_restored_records_total", dimensions: [("result", "restored")])
  private let supersededRecords = Counter(
    label: "pushring_restored_records_total", dimensions: [("result", "superseded")])
  private let strayReports = Counter(label: "pushring_stray_reports_total")
  private let podsProvenGone = Counter(label: "pushring_pods_proven_gone_total")
  private let sweptRecords = Counter(label: "pushring_swept_records_total")
  private let droppedCleanUps = Counter(label: "pushring_clean_ups_dropped_total")
  private let movesUnderWay = Gauge(label: "pushring_moves_under_way")
  private let moveSeconds = Timer(label: "pushring_move_seconds")
  private let moves: [MoveOutcome: Counter]
  private let outcomes: [Outcome: Counter]
  private let ends: [EndReason: Counter]
  private let closings: [StreamClosing: Counter]
  private let dropped: [SlowPolicy: Counter]

  public init() {
    moves = Dictionary(
      uniqueKeysWithValues: MoveOutcome.allCases.map {
        ($0, Counter(label: "pushring_moves_total", dimensions: [("result", $0.rawValue)]))
      })
    outcomes = Dictionary(
      uniqueKeysWithValues: Outcome.allCases.map {
        ($0, Counter(label: "pushring_deliveries_total", dimensions: [("outcome", $0.rawValue)]))
      })
    ends = Dictionary(
      uniqueKeysWithValues: EndReason.allCases.map {
        ($0, Counter(label: "pushring_streams_ended_total", dimensions: [("reason", $0.rawValue)]))
      })
    closings = Dictionary(
      uniqueKeysWithValues: StreamClosing.allCases.map {
        ($0, Counter(label: "pushring_streams_closed_total", dimensions: [("reason", $0.rawValue)]))
      })
    dropped = Dictionary(
      uniqueKeysWithValues: SlowPolicy.allCases.map {
        ($0, Counter(label: "pushring_messages_dropped_total", dimensions: [("policy", $0.rawValue)]))
      })
  }

  public func sessionsChanged(_ counts: SessionCounts, streams count: Int, movesUnderWay moves: Int) {
    sessions.record(counts.live)
    queuedBytes.record(counts.queuedBytes)
    streams.record(count)
    movesUnderWay.record(moves)
  }

  public func sessionWelcomed(registration duration: Duration) {
    welcomes.increment()
    registration.record(duration: duration)
  }

  public func streamEnded(_ reason: EndReason) { ends[reason]?.increment() }

  public func streamClosed(_ how: StreamClosing) { closings[how]?.increment() }

  public func delivered(_ tally: DeliveryTally) {
    if tally.delivered > 0 {
      outcomes[.delivered]?.increment(by: tally.delivered)
      deliveredBytes.increment(by: tally.deliveredBytes)
    }
    for (outcome, count) in tally.others { outcomes[outcome]?.increment(by: count) }
  }

  public func messagesDropped(_ count: Int, _ policy: SlowPolicy) { dropped[policy]?.increment(by: count) }

  public func acknowledged(_ messages: Int) { acknowledgements.increment(by: messages) }

  public func moved(_ outcome: MoveOutcome, lasted duration: Duration) {
    moves[outcome]?.increment()
    if outcome == .moved { moveSeconds.record(duration: duration) }
  }

  public func renewed(lease: Duration, strays count: Int, isSettled: Bool) {
    renewals.increment()
    leaseLeft.record(lease.inSeconds)
    strays.record(count)
    viewSettled.record(isSettled ? 1 : 0)
  }

  public func renewalFailed(leaseLeft left: Duration) {
    failedRenewals.increment()
    leaseLeft.record(max(0, left.inSeconds))
  }

  public func resumed() { resumes.increment() }

  public func restored(_ records: Int, superseded: Int) {
    restoredRecords.increment(by: records)
    supersededRecords.increment(by: superseded)
  }

  public func straysReported(_ entries: Int) { strayReports.increment(by: entries) }

  public func podProvenGone() { podsProvenGone.increment() }

  public func swept(_ records: Int) { sweptRecords.increment(by: records) }

  public func cleanUpDropped(_ count: Int) { droppedCleanUps.increment(by: count) }
}
