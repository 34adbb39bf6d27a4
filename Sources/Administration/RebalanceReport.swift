public import Placement
public import Rebalancing
public import RedisDirectory

/// How far a rebalance is, for people and programs.
public struct RebalanceReport: Sendable, Hashable, Encodable {
  public struct Source: Sendable, Hashable, Encodable {
    public let pod: String
    public let incarnation: UInt64
    public let planned: Int
    public let moved: Int
    public let failed: Int
    public let ended: Int
    public let left: Int
    public let isDone: Bool
  }

  public let cluster: String
  /// As in `RebalanceJob.State`; "none" when there was no rebalance, and "incomplete" when one has done what it could and
  /// sessions are left or did not move.
  public let state: String
  public let id: String
  /// Of the view that it was planned for.
  public let version: UInt64
  public let planned: Int
  public let moved: Int
  /// Asked, and still where they were when their time was over.
  public let failed: Int
  /// Ended meanwhile.
  public let ended: Int
  /// Not moved: their target took nobody, or it was stopped before.
  public let left: Int
  public let seconds: Double
  /// Moves a second, so far.
  public let rate: Double
  public let sources: [Source]

  /// - Parameter view: names the pods; one that has gone since is shown by its incarnation.
  public init(cluster: String, job: RebalanceJob?, view: View?) {
    self.cluster = cluster
    let jobSources = job?.sources ?? []
    let sources = jobSources.map { source in
      Source(
        pod: view?.member(source.incarnation)?.podID ?? "-", incarnation: source.incarnation.rawValue,
        planned: source.planned, moved: source.moved, failed: source.failed, ended: source.ended, left: source.left,
        isDone: source.isDone)
    }
    self.sources = sources
    id = job?.id ?? ""
    version = job?.view.version ?? 0
    planned = sources.reduce(0) { $0 + $1.planned }
    moved = sources.reduce(0) { $0 + $1.moved }
    failed = sources.reduce(0) { $0 + $1.failed }
    ended = sources.reduce(0) { $0 + $1.ended }
    left = sources.reduce(0) { $0 + $1.left }
    state = job?.state == .done && left + failed > 0 ? "incomplete" : job?.state.rawValue ?? "none"
    seconds = job.map { Double($0.lasted / .milliseconds(1)) / 1_000 } ?? 0
    rate = seconds > 0 ? Double(moved) / seconds : 0
  }

  public var isOver: Bool { ["done", "incomplete", "stopped", "none"].contains(state) }

  /// What is to be said of an incomplete one.
  public var remainder: String {
    let parts = [
      (failed, "were asked and did not move in time"),
      (left, "were not asked: they have gone or moved before, they rest after an attempt, or their pods take nobody"),
    ]
    return parts.filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }.joined(separator: "; ")
      + "; 'rebalance plan' shows what is still astray"
  }

  /// One line.
  public var line: String {
    let rest = [(failed, "failed"), (ended, "ended"), (left, "left")].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    let text = "\(state): \(moved) of \(planned) moved in \(oneDecimal(seconds)) s"
    return ([text] + rest).joined(separator: ", ")
  }

  public var table: String {
    guard state != "none" else { return "cluster \(cluster): no rebalance yet\n" }
    var table = TextTable([
      ("FROM", .left), ("INCARNATION", .right), ("PLANNED", .right), ("MOVED", .right), ("FAILED", .right),
      ("ENDED", .right), ("LEFT", .right), ("DONE", .left),
    ])
    for source in sources {
      table.add([
        source.pod, String(source.incarnation), String(source.planned), String(source.moved), String(source.failed),
        String(source.ended), String(source.left), source.isDone ? "yes" : "no",
      ])
    }
    return "cluster \(cluster)  rebalance \(id)  \(line)  (\(oneDecimal(rate)) a second)\n\n" + table.text
  }
}

extension RebalancePlan {
  public var table: String {
    var text =
      "cluster \(cluster)  view \(version)  \(strays) of \(pods.reduce(0) { $0 + $1.sessions }) sessions astray, "
      + "\(planned) to move\n\n"
    var podTable = TextTable([
      ("POD", .left), ("NOW", .right), ("AFTER", .right), ("CHANGE", .right), ("LIMIT", .right),
    ])
    for pod in pods {
      let change = pod.after - pod.sessions
      podTable.add([
        pod.id, String(pod.sessions), String(pod.after), change > 0 ? "+\(change)" : String(change),
        pod.limit == 0 ? "-" : String(pod.limit),
      ])
    }
    text += podTable.text
    if !flows.isEmpty {
      var table = TextTable([
        ("FROM", .left), ("TO", .left), ("MOVE", .right), ("STAY", .right), ("WHY ASTRAY", .left),
        ("WHY STAYING", .left),
      ])
      for flow in flows {
        table.add([
          flow.from, flow.to, String(flow.planned), String(flow.strays - flow.planned),
          flow.causes.map { "\($0.cause.text): \($0.sessions)" }.joined(separator: "; "),
          flow.staying.map { "\($0.reason.text): \($0.sessions)" }.joined(separator: "; "),
        ])
      }
      text += "\n" + table.text
    }
    if planned > 0 {
      text +=
        "\nexpected: \(oneDecimal(expectedSeconds)) s, \(oneDecimal(reconnectsPerSecond)) reconnects a second\n"
    }
    for pod in silent { text += "\nno answer from \(pod): its sessions are not in this plan\n" }
    return text
  }
}

extension RebalancePlan.StrayCause {
  fileprivate var text: String {
    switch self {
    case .ringChanged: "connected before the owner joined"
    case .connectedElsewhere: "connected here, or weights changed since"
    case .podOutOfRing: "its pod is out of the ring"
    }
  }
}

extension RebalancePlan.StayReason {
  fileprivate var text: String {
    switch self {
    case .clientCannotMove: "client can't move (--force ends it)"
    case .ownerFull: "owner full"
    case .beyondLimit: "beyond --max-moves"
    case .notAskedFor: "not on the pod asked for"
    }
  }
}
