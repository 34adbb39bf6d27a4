// Reports as text for people.

extension ClusterReport {
  public func text(_ palette: Palette) -> String {
    guard !members.isEmpty else { return "cluster \(cluster): no members\n" }
    var table = TextTable([
      ("MEMBER", .left), ("INCARNATION", .right), ("STATE", .left), ("ORDER", .left), ("WEIGHT", .right),
      ("ZONE", .left), ("SHARE", .right), ("SESSIONS", .right), ("LIMIT", .right), ("FULL", .right), ("STRAYS", .right),
      ("LEASE", .right), ("ENDPOINT", .left),
    ])
    for member in members {
      table.add(
        [
          member.id, String(member.incarnation), member.state, member.order?.summary ?? "-", String(member.weight),
          member.zone.isEmpty ? "-" : member.zone, percent(member.share), String(member.sessions),
          member.limit == 0 ? "-" : String(member.limit), member.limit == 0 ? "-" : percent(member.fullness),
          String(member.strays), seconds(member.leaseSeconds), member.endpoint,
        ],
        styles: [
          2: style(ofState: member.state), 3: member.order == nil ? .plain : .notable,
          9: member.fullness >= 1 ? .bad : member.fullness >= 0.9 ? .notable : .plain,
          10: member.strays > 0 ? .notable : .plain, 11: member.leaseSeconds == 0 ? .bad : .plain,
        ])
    }
    let settled =
      settledVersion == version ? palette("settled", .good) : palette("settled \(settledVersion)", .notable)
    return palette("cluster \(cluster)", .heading)
      + "  view \(version) (\(settled))  members \(members.count)  sessions \(sessions)  strays \(strays)\n"
      + notes(palette) + "\n" + table.text(palette)
  }

  private func notes(_ palette: Palette) -> String {
    var notes: [String] = []
    if !homing { notes.append("homing is off: strays stay until it is on again ('rebalance homing on')") }
    if let rebalance, rebalance.isUnderWay {
      notes.append("a rebalance is \(rebalance.state): \(rebalance.moved) of \(rebalance.planned) moved")
    }
    notes += otherOrders.map { "an order for \($0.pod), which is no member: \($0.summary)" }
    return notes.map { palette($0, .notable) + "\n" }.joined()
  }
}

extension OwnerReport {
  public func text(_ palette: Palette) -> String {
    var table = TextTable([
      ("ROLE", .left), ("POD", .left), ("INCARNATION", .right), ("ENDPOINT", .left), ("ZONE", .left),
    ])
    let roles = (owner.map { [("owner", $0)] } ?? []) + successors.map { ("successor", $0) }
    for (role, pod) in roles {
      table.add([role, pod.id, String(pod.incarnation), pod.endpoint, pod.zone.isEmpty ? "-" : pod.zone])
    }
    let head = "user \(printable(user))  hash \(hash)  view \(version)\n"
    return roles.isEmpty ? head + "no active member: nobody owns this user\n" : head + "\n" + table.text(palette)
  }
}

extension SessionsReport {
  public func text(_ palette: Palette) -> String {
    let head = "user \(printable(user))  owner \(owner ?? "none")  sessions \(sessions.count)\n"
    guard !sessions.isEmpty else { return head }
    var table = TextTable([
      ("SESSION", .left), ("POD", .left), ("INCARNATION", .right), ("EPOCH", .right), ("PLACE", .left),
    ])
    for row in sessions {
      let style: Palette.Style = row.place == .owner ? .good : row.place == .void ? .bad : .notable
      table.add(
        [row.session, row.pod, String(row.incarnation), String(row.epoch), row.place.rawValue], styles: [4: style])
    }
    return head + "\n" + table.text(palette)
  }
}

func percent(_ share: Double) -> String { "\(oneDecimal(share * 100)) %" }

private func seconds(_ value: Double) -> String { "\(oneDecimal(value)) s" }

func oneDecimal(_ value: Double) -> String {
  let tenths = Int((value * 10).rounded())
  return "\(tenths / 10).\(abs(tenths % 10))"
}
