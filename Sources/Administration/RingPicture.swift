internal import Foundation
internal import HashRing
public import Placement

/// The ring as an SVG: two bands around the cluster's figures, and a legend.
///
/// The outer band is the ring itself: hash 0 at the top, clockwise, each stretch in its owner's colour. With 256 tokens per
/// member that is hundreds of arcs, thinner than a pixel each, so it shows who owns each of 720 points, half a degree apart:
/// it looks the same, and has the same size for any cluster. The inner band has each member's share in one piece.
///
/// For one user, a line across the outer band shows where the user's hash lies, in a picture that is pale but for the owner,
/// and the legend names the owner and its successors.
public struct RingPicture: Sendable {
  private let report: ClusterReport
  private let view: View
  private let colours: [String: String]
  private let user: OwnerReport?

  private static let points = 720
  private static let centre = 220.0

  /// - Parameter user: whose place on the ring is marked; of the same view.
  public init(report: ClusterReport, view: View, user: OwnerReport? = nil) {
    self.report = report
    self.view = view
    self.user = user
    let ids = view.ring.members.map(\.id)
    colours = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, colour(number: $0)) })
  }

  public var svg: String {
    let width = user == nil ? 1000 : 1080
    let height = max(440, 90 + report.members.count * 22)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" \
      font-family="sans-serif" font-size="13">
      <title>\(escaped(title))</title>
      <rect width="100%" height="100%" fill="white"/>
      \((stretches.map { arc($0, outer: 200, inner: 150) } + shares.map { arc($0, outer: 142, inner: 112) })
        .joined(separator: "\n"))
      \(mark)
      \(centreText)
      \(legend)
      </svg>

      """
  }

  // MARK: Arcs

  /// From `start` to `end` in points, clockwise from the top.
  private struct Arc {
    let member: String
    let start: Double
    var end: Double
  }

  /// Neighbouring points of one owner, joined.
  private var stretches: [Arc] {
    var stretches: [Arc] = []
    for point in 0..<Self.points {
      let hash = UInt64(point) * (UInt64.max / UInt64(Self.points))
      guard let owner = view.owner(ofUserHash: hash)?.podID else { continue }
      if stretches.last?.member == owner {
        stretches[stretches.count - 1].end = Double(point + 1)
      } else {
        stretches.append(Arc(member: owner, start: Double(point), end: Double(point + 1)))
      }
    }
    return stretches
  }

  private var shares: [Arc] {
    var start = 0.0
    return report.members.filter { $0.share > 0 }.map { member in
      let end = start + member.share * Double(Self.points)
      defer { start = end }
      return Arc(member: member.id, start: start, end: end)
    }
  }

  private func arc(_ arc: Arc, outer: Double, inner: Double) -> String {
    // A whole circle has no beginning and end that an arc could join.
    let end = min(arc.end, arc.start + Double(Self.points) - 0.01)
    let isLarge = end - arc.start > Double(Self.points) / 2 ? 1 : 0
    let path =
      "M\(position(arc.start, outer)) A\(outer) \(outer) 0 \(isLarge) 1 \(position(end, outer)) "
      + "L\(position(end, inner)) A\(inner) \(inner) 0 \(isLarge) 0 \(position(arc.start, inner)) Z"
    let isPale = user?.owner.map { $0.id != arc.member } ?? false
    return "<path d=\"\(path)\" fill=\"\(colours[arc.member] ?? "grey")\"\(isPale ? " fill-opacity=\"0.25\"" : "")>"
      + "<title>\(escaped(arc.member))</title></path>"
  }

  /// Where the user's hash lies.
  private var mark: String {
    guard let user, let hash = UInt64(user.hash, radix: 16) else { return "" }
    let point = Double(hash) / Double(UInt64.max) * Double(Self.points)
    let line = "M\(position(point, 146)) L\(position(point, 212))"
    return "<path d=\"\(line)\" stroke=\"black\" stroke-width=\"3\"><title>\(escaped(user.user))</title></path>"
  }

  private func position(_ point: Double, _ radius: Double) -> String {
    let angle = point / Double(Self.points) * 2 * Double.pi
    return String(format: "%.2f %.2f", Self.centre + radius * sin(angle), Self.centre - radius * cos(angle))
  }

  // MARK: Text

  private var title: String {
    guard let user else { return "Ring of cluster \(report.cluster)" }
    return "Owner of \(user.user) in cluster \(report.cluster)"
  }

  private var centreText: String {
    let last =
      user.map { [$0.user.count > 24 ? $0.user.prefix(23) + "…" : $0.user, "hash \($0.hash)"] }
      ?? ["settled \(report.settledVersion)", "\(report.members.reduce(0) { $0 + $1.sessions }) sessions"]
    let lines = [report.cluster, "view \(report.version)"] + last
    return lines.enumerated().map { index, line in
      "<text x=\"\(Self.centre)\" y=\"\(195 + index * 20)\" text-anchor=\"middle\">\(escaped(line))</text>"
    }.joined(separator: "\n")
  }

  private var legend: String {
    var columns: [(x: Int, title: String, value: (MemberReport) -> String)] = [
      (480, "member", { $0.id }), (690, "state", { $0.state }), (760, "share", { percent($0.share) }),
      (830, "sessions", { String($0.sessions) }), (905, "strays", { String($0.strays) }),
    ]
    if let user { columns.append((970, "for this user", { user.role(of: $0) })) }
    var lines = columns.map { "<text x=\"\($0.x)\" y=\"50\" font-weight=\"bold\">\($0.title)</text>" }
    for (index, member) in report.members.enumerated() {
      let y = 76 + index * 22
      let colour = member.share > 0 ? colours[member.id] ?? "grey" : "lightgrey"
      lines.append("<rect x=\"458\" y=\"\(y - 11)\" width=\"14\" height=\"14\" fill=\"\(colour)\"/>")
      lines += columns.map { "<text x=\"\($0.x)\" y=\"\(y)\">\(escaped($0.value(member)))</text>" }
    }
    return lines.joined(separator: "\n")
  }
}

extension OwnerReport {
  fileprivate func role(of member: MemberReport) -> String {
    if owner?.incarnation == member.incarnation { return "owner" }
    let place = successors.firstIndex { $0.incarnation == member.incarnation }
    return place.map { "successor \($0 + 1)" } ?? ""
  }
}

/// As "#rrggbb", which every reader of SVG knows. The golden angle keeps neighbours in the list apart, however many there
/// are.
private func colour(number: Int) -> String {
  let hue = (Double(number) * 137.508 + 210).truncatingRemainder(dividingBy: 360)
  let (saturation, lightness) = (0.55, number % 2 == 0 ? 0.45 : 0.62)
  let digits = [0.0, 8, 4].map { offset in
    let k = (offset + hue / 30).truncatingRemainder(dividingBy: 12)
    let amount = lightness - saturation * min(lightness, 1 - lightness) * max(-1, min(k - 3, 9 - k, 1))
    return String(format: "%02x", Int((amount * 255).rounded()))
  }
  return "#" + digits.joined()
}

private func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    .replacing("\"", with: "&quot;")
}
