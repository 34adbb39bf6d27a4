extension RingForecast {
  /// As text for people.
  public func text(_ palette: Palette) -> String {
    var text =
      "cluster \(cluster)  view \(version)  if: \(changes.joined(separator: ", "))\n\n" + podTable.text(palette)
    for silence in silent { text += silence.line(palette) }
    if !movement.isEmpty {
      var table = TextTable([("KEYS FROM", .left), ("TO", .left), ("OF ALL", .right)])
      for move in movement {
        table.add([move.from.isEmpty ? "-" : move.from, move.to.isEmpty ? "-" : move.to, percent(move.share)])
      }
      text += "\n" + table.text(palette)
    }
    if !flows.isEmpty {
      var table = TextTable([("SESSIONS FROM", .left), ("TO", .left), ("SESSIONS", .right), ("CAN MOVE", .right)])
      for flow in flows { table.add([flow.from, flow.to, String(flow.sessions), String(flow.movable)]) }
      text += "\n" + table.text(palette)
    }
    text += "\nkeys that move: \(percent(movedShare)); expected reconnects: \(reconnects)"
    text += straysNow > 0 ? " (astray already: \(straysNow))\n" : "\n"
    text +=
      "fullest over its fair part: keys \(twoDecimals(balanceBefore.shares)) → \(twoDecimals(balanceAfter.shares)), "
      + "sessions \(twoDecimals(balanceBefore.sessions)) → \(twoDecimals(balanceAfter.sessions))\n"
    for pod in pods where pod.isBeyondLimit {
      text += palette("\(pod.id) would be full", .bad) + ": \(pod.sessionsAfter) sessions, and it takes \(pod.limit)\n"
    }
    return text
  }

  private var podTable: TextTable {
    var table = TextTable([
      ("POD", .left), ("WEIGHT", .right), ("SHARE", .right), ("AFTER", .right), ("SESSIONS", .right), ("AFTER", .right),
      ("CHANGE", .right), ("LIMIT", .right),
    ])
    for pod in pods {
      let change = pod.sessionsAfter - pod.sessions
      let weight =
        pod.weightBefore == pod.weightAfter ? String(pod.weightAfter) : "\(pod.weightBefore) → \(pod.weightAfter)"
      table.add(
        [
          pod.id, weight, percent(pod.shareBefore), percent(pod.shareAfter), String(pod.sessions),
          String(pod.sessionsAfter), change > 0 ? "+\(change)" : String(change),
          pod.limit == 0 ? "-" : String(pod.limit),
        ], styles: pod.isBeyondLimit ? [5: .bad] : [:])
    }
    return table
  }
}

func twoDecimals(_ value: Double) -> String {
  let hundredths = Int((value * 100).rounded())
  return "\(hundredths / 100).\(hundredths % 100 < 10 ? "0" : "")\(hundredths % 100)"
}
