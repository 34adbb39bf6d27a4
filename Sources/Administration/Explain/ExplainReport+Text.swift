extension ExplainReport {
  /// As text for people.
  public func text(_ palette: Palette) -> String {
    var sections = [head(palette), why(palette)]
    sections.append(section("what Redis records", recordTable, empty: "no session of this user", palette))
    sections.append(section("what the pods hold", heldTable, empty: "no pod has a session of this user", palette))
    sections.append(section("what the pods know", knowledgeTable, empty: "no pod has a word on this user", palette))
    sections.append(pushText(palette))
    sections.append(disagreementText(palette))
    return sections.joined(separator: "\n")
  }

  private func head(_ palette: Palette) -> String {
    let settled = settledVersion == version ? "settled" : "settled \(settledVersion)"
    return palette("user \(printable(place.user))", .heading)
      + "  hash \(place.hash)  cluster \(cluster)  view \(version) (\(settled))\n"
  }

  private func why(_ palette: Palette) -> String {
    var text = palette("owner", .heading) + "\n"
    text += place.owner.map { "\($0.id), incarnation \($0.incarnation), at \($0.endpoint)\n" } ?? "nobody\n"
    text += reason + "\n"
    guard !neighbours.isEmpty else { return text }
    var table = TextTable([("TOKEN", .left), ("POD", .left), ("", .left)])
    for (index, neighbour) in neighbours.enumerated() {
      if neighbour.isAfter, index == 0 || !neighbours[index - 1].isAfter {
        table.add([place.hash, "", "the user"], styles: [0: .notable, 2: .notable])
      }
      table.add([neighbour.token, neighbour.pod, ""])
    }
    text += table.text(palette)
    if !place.successors.isEmpty {
      text += "next, should it go: \(place.successors.map(\.id).joined(separator: ", "))\n"
    }
    return text
  }

  private func section(_ title: String, _ table: TextTable, empty: String, _ palette: Palette) -> String {
    palette(title, .heading) + "\n" + (table.isEmpty ? empty + "\n" : table.text(palette))
  }

  private var recordTable: TextTable {
    var table = TextTable([
      ("SESSION", .left), ("POD", .left), ("INCARNATION", .right), ("EPOCH", .right), ("PLACE", .left),
    ])
    for row in records {
      let style: Palette.Style = row.place == .owner ? .good : row.place == .void ? .bad : .notable
      table.add(
        [row.session, row.pod, String(row.incarnation), String(row.epoch), row.place.rawValue], styles: [4: style])
    }
    return table
  }

  private var heldTable: TextTable {
    var table = TextTable([
      ("SESSION", .left), ("POD", .left), ("INCARNATION", .right), ("EPOCH", .right), ("MOVES", .left),
      ("QUEUED", .right), ("LABELS", .left),
    ])
    for row in held {
      let labels = row.labels.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }.joined(separator: " ")
      table.add([
        row.session, row.pod, String(row.incarnation), row.epoch == 0 ? "-" : String(row.epoch),
        row.isWaiting ? "waits" : row.moves ? "yes" : "no", "\(row.queuedBytes) B", labels,
      ])
    }
    return table
  }

  private var knowledgeTable: TextTable {
    var table = TextTable([
      ("POD", .left), ("ROLE", .left), ("LEASE", .left), ("HAS ALL", .left), ("KNOWS OF SESSIONS ON", .left),
      ("VIEW", .right),
    ])
    for row in knowledge {
      let isOwner = row.incarnation == place.owner?.incarnation
      table.add(
        [
          row.pod, isOwner ? "owner" : "-", row.hasLease ? "yes" : "no", row.vouches ? "yes" : "no",
          row.strays.isEmpty
            ? "-" : row.strays.map { $0.pod.isEmpty ? "\($0.incarnation)" : $0.pod }.joined(separator: ", "),
          String(row.version),
        ], styles: row.hasLease ? [:] : [2: .bad])
    }
    return table
  }

  private func pushText(_ palette: Palette) -> String {
    var text = palette("a push to all sessions, now", .heading) + "\n"
    for (index, step) in push.steps.enumerated() {
      text += "\(index + 1). \(printable(step.action)): \(printable(step.outcome))\n"
    }
    let delivered = push.sessions.count { $0.outcome == "delivered" }
    let completeness = push.isComplete ? palette("complete", .good) : palette("completeness unknown", .notable)
    text += "delivered to \(delivered) of \(push.sessions.count); \(completeness)"
    text += push.reason.isEmpty ? "" : " (\(printable(push.reason)))"
    return text
      + "; cost: \(push.rpcs) \(push.rpcs == 1 ? "RPC" : "RPCs"), "
      + "\(push.registryReads) \(push.registryReads == 1 ? "read" : "reads") of the registry\n"
  }

  private func disagreementText(_ palette: Palette) -> String {
    var text = palette("disagreements", .heading) + "\n"
    if disagreements.isEmpty { text += palette("none", .good) + "\n" }
    for disagreement in disagreements {
      text += palette(disagreement.kind, .bad) + ": \(printable(disagreement.detail))\n"
    }
    for silence in silent { text += silence.line(palette) }
    return text
  }
}

extension Fleet.Silence {
  /// Ends with a line break.
  func line(_ palette: Palette) -> String {
    palette("no answer from \(pod)", .notable) + " (\(incarnation)): \(printable(reason))\n"
  }
}
