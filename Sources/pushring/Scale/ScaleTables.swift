internal import Administration
internal import Scale

extension ScaleReport {
  /// For people; Docs/scale.md explains the columns.
  var text: String {
    """
    \(machine); \(seconds.digits(0)) s; costs in Redis: \(costs.taken)

    Redis per call, microseconds of its core (of these, in the script)
    \(callTable)
    Redis, for \(assumptions.sendersPerPod.digits(2)) Senders per pod, \(Int(assumptions.connectRate).grouped) sessions connecting per second
    \(registryTable)
    A pod
    \(podTable)
    What an event moves
    \(movementTable)
    What it takes to settle
    \(settlingTable)
    What is nearest to breaking
    \(limitTable)
    Where each limit ends, at \((breaks.first?.sessionsPerPod ?? 0).grouped) sessions per pod
    \(breakTable)
    """
  }

  private var callTable: String {
    var table = numbers("call", ["pods", "commands", "CPU", "script"])
    for (name, call) in [
      ("registration", costs.registration), ("unregistration", costs.unregistration),
      ("records read", costs.recordsRead),
      ("restoration", costs.restoration), ("stamps poll", costs.stampsPoll), ("sweep poll", costs.sweepPoll),
    ] { table.add(row(name, "any", call)) }
    for size in costs.bySize {
      for (name, call) in [
        ("renewal", size.renewal), ("acknowledgement", size.acknowledgement), ("window read", size.windowRead),
        ("join, view published", size.join),
      ] { table.add(row(name, size.members.grouped, call)) }
    }
    table.add([
      "announcement, per follower", "any", "", costs.announcementMicrosecondsPerFollower.digits(1), "",
    ])
    return table.text
  }

  private func row(_ name: String, _ pods: String, _ call: CallCost) -> [String] {
    [name, pods, call.commands.digits(0), call.cpuMicroseconds.digits(1), call.scriptMicroseconds.digits(1)]
  }

  private var registryTable: String {
    var table = numbers(
      "pods",
      [
        "sessions", "records", "membership", "connections", "commands/s", "CPU", "MB/s", "connecting: CPU", "most/s",
        "a change", "a third again", "all again",
      ])
    for size in sizes {
      let load = size.registry
      table.add([
        size.pods.grouped, size.sessions.grouped, load.sessionBytes.bytes, load.membershipBytes.bytes,
        load.connections.grouped, Int(load.commandsAtRest.values.reduce(0, +)).grouped, load.cpuAtRest.percent,
        (load.networkBytesPerSecondAtRest / 1e6).digits(1), load.cpuConnecting.percent,
        Int(load.mostRegistrationsPerSecond).grouped, load.secondsPerChange.seconds,
        load.secondsToRegisterAThird.seconds,
        load.secondsToRestoreAll.seconds,
      ])
    }
    return table.text
  }

  private var podTable: String {
    var table = numbers(
      "pods",
      [
        "sessions", "per pod: fewest", "most", "a view", "its time", "look-up", "per session", "per stray",
        "sessions' tables",
      ])
    for size in sizes {
      table.add([
        size.pods.grouped, size.sessions.grouped, size.fewestSessionsOfAPod.grouped, size.mostSessionsOfAPod.grouped,
        Double(size.pod.viewBytes).bytes, size.pod.viewBuildSeconds.seconds,
        "\(Int(size.pod.ownerLookupNanoseconds)) ns", "\(Int(size.pod.bytesPerSession)) B",
        "\(Int(size.pod.bytesPerStray)) B", (size.pod.bytesPerSession * Double(size.mostSessionsOfAPod)).bytes,
      ])
    }
    return table.text
  }

  private var movementTable: String {
    var table = numbers("pods", ["sessions", "event", "moved", "share", "on an even ring", "strays", "disconnected"])
    forEachEvent { size, event in
      table.add([
        size.pods.grouped, size.sessions.grouped, event.event.rawValue, event.moved.grouped, event.movedShare.percent,
        event.evenShare.percent, event.strays.grouped, event.disconnected.grouped,
      ])
    }
    return table.text
  }

  private var settlingTable: String {
    var table = numbers(
      "pods",
      [
        "sessions", "event", "reporters", "owners", "reports", "bytes", "most to one", "acknowledgements", "announced",
        "a pod's time", "rehearsed",
      ])
    forEachEvent { size, event in
      let messages = event.messages
      table.add([
        size.pods.grouped, size.sessions.grouped, event.event.rawValue, messages.reporters.grouped,
        messages.owners.grouped, messages.reports.grouped, Double(messages.bytes).bytes,
        messages.mostEntriesOfAnOwner.grouped, messages.acknowledgements.grouped,
        event.announcedBytes.bytes, event.rehearsal.secondsOfViewChange.seconds,
        "\(event.rehearsal.members.grouped) pods",
      ])
    }
    return table.text
  }

  private var limitTable: String {
    var table = numbers("pods", ["sessions", "limit", "is", "may be", "used"])
    for size in sizes {
      for (index, limit) in size.limits.enumerated() where index == 0 || limit.ratio > 0.5 {
        table.add([
          size.pods.grouped, size.sessions.grouped, limit.name, limit.text(limit.value), limit.text(limit.limit),
          limit.ratio.percent,
        ])
      }
    }
    return table.text
  }

  private var breakTable: String {
    var table = numbers("limit", ["holds to"])
    for point in breaks { table.add([point.name, "\(point.pods.grouped) pods"]) }
    return table.text
  }

  private func forEachEvent(_ body: (SizeReport, EventReport) -> Void) {
    for size in sizes { for event in size.events { body(size, event) } }
  }

  private func numbers(_ first: String, _ others: [String]) -> TextTable {
    TextTable([(first, .left)] + others.map { ($0, .right) })
  }
}

extension ScaleLimit {
  fileprivate func text(_ number: Double) -> String {
    switch unit {
    case "B": number.bytes
    case "B/s": "\(number.bytes)/s"
    case "s": number.seconds
    case "": Int(number).grouped
    default: "\(number.digits(2)) \(unit)"
    }
  }
}

extension Int {
  /// 12,345,678
  fileprivate var grouped: String {
    var digits = String(magnitude)
    var groups: [String] = []
    while digits.count > 3 {
      groups.insert(String(digits.suffix(3)), at: 0)
      digits.removeLast(3)
    }
    return (self < 0 ? "-" : "") + ([digits] + groups).joined(separator: ",")
  }
}

extension Double {
  fileprivate func digits(_ count: Int) -> String {
    let scale = (0..<count).reduce(1) { scale, _ in scale * 10 }
    let scaled = Int((self * Double(scale)).rounded())
    guard count > 0 else { return scaled.grouped }
    let rest = String(scaled.magnitude % UInt(scale))
    return (scaled / scale).grouped + "." + String(repeating: "0", count: count - rest.count) + rest
  }

  fileprivate var percent: String { "\((self * 100).digits(self < 0.1 ? 2 : 0)) %" }

  fileprivate var bytes: String {
    switch self {
    case ..<1e3: "\(digits(0)) B"
    case ..<1e6: "\((self / 1e3).digits(1)) kB"
    case ..<1e9: "\((self / 1e6).digits(1)) MB"
    default: "\((self / 1e9).digits(1)) GB"
    }
  }

  fileprivate var seconds: String {
    switch self {
    case RegistryLoad.never...: "never"
    case ..<1e-3: "\((self * 1e6).digits(0)) µs"
    case ..<1: "\((self * 1e3).digits(1)) ms"
    default: "\(digits(1)) s"
    }
  }
}
