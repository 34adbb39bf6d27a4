import Placement

/// What happened, in words. Only a run that is to be read keeps it: the others are run again with the same seed.
final class Story {
  let isKept: Bool
  var now = Duration.zero
  private(set) var lines: [String] = []

  init(isKept: Bool) { self.isKept = isKept }

  func tell(_ text: () -> String) {
    if isKept { lines.append("\(now.text)  \(text())") }
  }
}

extension Story {
  /// Incarnations are microseconds: the last digits tell them apart.
  func short(_ incarnation: Incarnation) -> String { "i…\(incarnation.rawValue % 1_000_000_000 / 1_000)" }

  func describe(_ view: View) -> String {
    let members = view.members.map { member in
      let state = member.state == .active ? "" : " \(member.state.rawValue)"
      return "\(member.podID) \(short(member.incarnation))\(state) since \(member.since)"
    }
    return
      "view \(view.stamp.version)/\(String(view.stamp.digest % 65_536, radix: 16)) [\(members.joined(separator: ", "))]"
  }

  func describe(_ window: Window) -> String {
    "settled \(window.settled.stamp.version), current \(window.current.stamp.version)"
  }
}
