extension AuditReport {
  /// As text for people.
  /// - Parameter limit: findings of each kind to show.
  public func text(_ palette: Palette, limit: Int = 20) -> String {
    let view = isSettled ? "view \(version) (settled)" : "view \(version)"
    var text = "cluster \(cluster)  \(view)  sessions \(sessions)  records \(records)\n"
    if !isSettled { text += palette("the view has not settled, so strays were not judged", .notable) + "\n" }
    for silence in silent { text += silence.line(palette) }
    if unjudged > 0 { text += palette("records of pods that did not answer: \(unjudged)", .notable) + "\n" }
    for kind in Finding.Kind.allCases {
      let some = findings.filter { $0.kind == kind }
      guard !some.isEmpty else { continue }
      text += "\n" + palette("\(kind.rawValue): \(some.count)", .bad) + "  \(kind.meaning)\n"
      var table = TextTable([("  USER", .left), ("SESSION", .left), ("WHAT", .left)])
      for finding in some.prefix(limit) {
        let user = finding.user.isEmpty ? finding.userHash.map { "hash \($0)" } ?? "-" : finding.user
        table.add(["  " + user, finding.session.isEmpty ? "-" : finding.session, finding.detail])
      }
      text += table.text(palette)
      if some.count > limit { text += "  … and \(some.count - limit) more (--output json has them)\n" }
    }
    if count > findings.count { text += "\n\(count - findings.count) more findings were only counted\n" }
    let isPartial = !silent.isEmpty || !isSettled
    let verdict = isClean ? palette("clean", .good) : palette(count == 1 ? "1 finding" : "\(count) findings", .bad)
    return text + "\n" + verdict + (isPartial ? ", as far as it could be judged" : "") + "\n"
  }
}

extension Finding.Kind {
  /// In one line.
  public var meaning: String {
    switch self {
    case .recordOfDeadIncarnation: "recorded on a process that is gone"
    case .recordWithoutSession: "recorded on a pod that does not have it"
    case .recordAtWrongPod: "recorded elsewhere than it lives"
    case .recordWithWrongEpoch: "recorded with another epoch than it lives with"
    case .recordMissing: "live, and not recorded"
    case .recordUnreadable: "not a record that this version can read"
    case .sessionDoubled: "live on two pods"
    case .strayMissing: "away from an owner that does not know: pushes may miss it"
    case .strayWrong: "known as elsewhere, and not there: pushes cost a read too many"
    case .indexLeftover: "in the index of a process that does not have it"
    case .indexEntryMissing: "in no index: the record would outlive its pod"
    case .orderForUnknownPod: "an order for a pod that is no member"
    }
  }
}
