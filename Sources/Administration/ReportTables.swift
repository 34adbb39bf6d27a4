// Reports as text for people.

extension ClusterReport {
  public var table: String {
    guard !members.isEmpty else { return "cluster \(cluster): no members\n" }
    var table = TextTable([
      ("MEMBER", .left), ("INCARNATION", .right), ("STATE", .left), ("WEIGHT", .right), ("ZONE", .left),
      ("SHARE", .right), ("SESSIONS", .right), ("STRAYS", .right), ("LEASE", .right), ("ENDPOINT", .left),
    ])
    for member in members {
      table.add([
        member.id, String(member.incarnation), member.state, String(member.weight),
        member.zone.isEmpty ? "-" : member.zone,
        percent(member.share), String(member.sessions), String(member.strays), seconds(member.leaseSeconds),
        member.endpoint,
      ])
    }
    let settled = settledVersion == version ? "settled" : "settled \(settledVersion)"
    let sessions = members.reduce(0) { $0 + $1.sessions }
    return "cluster \(cluster)  view \(version) (\(settled))  members \(members.count)  sessions \(sessions)\n\n"
      + table.text
  }
}

extension OwnerReport {
  public var table: String {
    var table = TextTable([
      ("ROLE", .left), ("POD", .left), ("INCARNATION", .right), ("ENDPOINT", .left), ("ZONE", .left),
    ])
    let roles = (owner.map { [("owner", $0)] } ?? []) + successors.map { ("successor", $0) }
    for (role, pod) in roles {
      table.add([role, pod.id, String(pod.incarnation), pod.endpoint, pod.zone.isEmpty ? "-" : pod.zone])
    }
    let head = "user \(user)  hash \(hash)  view \(version)\n"
    return roles.isEmpty ? head + "no active member: nobody owns this user\n" : head + "\n" + table.text
  }
}

extension SessionsReport {
  public var table: String {
    let head = "user \(user)  owner \(owner ?? "none")  sessions \(sessions.count)\n"
    guard !sessions.isEmpty else { return head }
    var table = TextTable([
      ("SESSION", .left), ("POD", .left), ("INCARNATION", .right), ("EPOCH", .right), ("PLACE", .left),
    ])
    for row in sessions {
      table.add([row.session, row.pod, String(row.incarnation), String(row.epoch), row.place.rawValue])
    }
    return head + "\n" + table.text
  }
}

func percent(_ share: Double) -> String { "\(oneDecimal(share * 100)) %" }

private func seconds(_ value: Double) -> String { "\(oneDecimal(value)) s" }

func oneDecimal(_ value: Double) -> String {
  let tenths = Int((value * 10).rounded())
  return "\(tenths / 10).\(abs(tenths % 10))"
}
