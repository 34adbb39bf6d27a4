// Beside the ring: a line for each member, with its sessions as a bar.

extension RingPicture {
  private static let barStart = 1_040.0
  private static let barWidth = 140.0

  var legend: String {
    var columns: [(x: Double, title: String, value: (MemberReport) -> String)] = [
      (500, "member", { shortened($0.id, 18) }), (640, "state", state), (775, "weight", { String($0.weight) }),
      (832, "share", { percent($0.share) }), (895, "sessions", sessions), (985, "strays", { String($0.strays) }),
    ]
    if let user { columns.append((Self.barStart, "for this user", { user.role(of: $0) })) }
    var lines = columns.map { text($0.title, x: $0.x, y: 60, "font-weight=\"bold\"") }
    for (index, member) in report.members.enumerated() {
      let y = Double(90 + index * 26)
      lines.append(
        "<rect x=\"478\" y=\"\(y - 12)\" width=\"15\" height=\"15\" fill=\"\(colour(of: member.id))\""
          + "\(member.share > 0 ? "" : " fill-opacity=\"0.35\"")/>")
      lines += columns.map { text($0.value(member), x: $0.x, y: y) }
      if user == nil { lines.append(bar(member, y: y)) }
    }
    return (lines + notes).joined(separator: "\n")
  }

  private func state(_ member: MemberReport) -> String {
    guard let order = member.order, order.summary != member.state else { return member.state }
    return shortened("\(member.state) (\(order.summary))", 19)
  }

  private func sessions(_ member: MemberReport) -> String {
    member.limit > 0 ? "\(member.sessions) of \(member.limit)" : String(member.sessions)
  }

  /// As long as its sessions are many, hatched where they are astray, with a line where it is full. The most of both on any
  /// pod is the whole width.
  private func bar(_ member: MemberReport, y: Double) -> String {
    let most = Double(max(1, report.members.map { max($0.sessions, $0.limit) }.max() ?? 1))
    func length(_ sessions: Int) -> Double { (Double(sessions) / most * Self.barWidth * 10).rounded() / 10 }
    func rectangle(_ x: Double, _ width: Double, _ fill: String) -> String {
      "<rect x=\"\(Self.barStart + x)\" y=\"\(y - 11)\" width=\"\(width)\" height=\"13\" fill=\"\(fill)\"/>"
    }
    let strays = min(member.strays, member.sessions)
    var bar = rectangle(0, length(member.sessions), colour(of: member.id))
    if strays > 0 { bar += rectangle(length(member.sessions - strays), length(strays), "url(#astray)") }
    if member.limit > 0 { bar += rectangle(length(member.limit), 2, "black") }
    return bar
  }

  private var notes: [String] {
    var notes: [String] = []
    if !report.homing { notes.append("homing is off: strays stay where they are") }
    if let rebalance = report.rebalance, rebalance.isUnderWay {
      notes.append("a rebalance is \(rebalance.state): \(rebalance.moved) of \(rebalance.planned) moved")
    }
    return notes.enumerated().map { index, line in
      text(line, x: 500, y: 32 - Double(index) * 16, "fill=\"#a40\"")
    }
  }
}

extension OwnerReport {
  fileprivate func role(of member: MemberReport) -> String {
    if owner?.incarnation == member.incarnation { return "owner" }
    let place = successors.firstIndex { $0.incarnation == member.incarnation }
    return place.map { "successor \($0 + 1)" } ?? ""
  }
}
