internal import Foundation
internal import HashRing
public import Placement

/// The ring as an SVG: hash 0 at the top, clockwise, each stretch in its owner's colour; the legend says who has how much.
///
/// With 256 tokens per member a ring has hundreds of arcs, thinner than a pixel each. The picture shows who owns each of
/// 720 points, half a degree apart, which looks the same, and has the same size for any cluster.
public struct RingPicture: Sendable {
  private let report: ClusterReport
  private let view: View
  private let colours: [String: String]

  private static let points = 720
  private static let centre = 220.0
  private static let outer = 200.0
  private static let inner = 140.0

  public init(report: ClusterReport, view: View) {
    self.report = report
    self.view = view
    let ids = view.ring.members.map(\.id)
    colours = Dictionary(
      uniqueKeysWithValues: ids.enumerated().map { index, id in
        // The golden angle keeps neighbours in the list apart, however many there are.
        (
          id,
          "hsl(\(Int((Double(index) * 137.508).truncatingRemainder(dividingBy: 360))),65%,\(index % 2 == 0 ? 45 : 60)%)"
        )
      })
  }

  public var svg: String {
    let height = max(440, 90 + report.members.count * 22)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="1000" height="\(height)" viewBox="0 0 1000 \(height)" \
      font-family="sans-serif" font-size="13">
      <title>Ring of cluster \(escaped(report.cluster))</title>
      <rect width="100%" height="100%" fill="white"/>
      \(arcs.joined(separator: "\n"))
      \(centreText)
      \(legend)
      </svg>

      """
  }

  private var arcs: [String] {
    stretches.map { stretch in
      "<path d=\"\(path(from: stretch.start, to: stretch.end))\" fill=\"\(colours[stretch.owner] ?? "grey")\">"
        + "<title>\(escaped(stretch.owner))</title></path>"
    }
  }

  /// Neighbouring points of one owner, joined.
  private var stretches: [(owner: String, start: Int, end: Int)] {
    var stretches: [(owner: String, start: Int, end: Int)] = []
    for point in 0..<Self.points {
      let hash = UInt64(point) * (UInt64.max / UInt64(Self.points))
      guard let owner = view.owner(ofUserHash: hash)?.podID else { continue }
      if let last = stretches.last, last.owner == owner, last.end == point {
        stretches[stretches.count - 1].end = point + 1
      } else {
        stretches.append((owner, point, point + 1))
      }
    }
    return stretches
  }

  private func path(from start: Int, to end: Int) -> String {
    // A whole circle has no beginning and end that an arc could join.
    let end = end - start == Self.points ? Double(end) - 0.01 : Double(end)
    let isLarge = end - Double(start) > Double(Self.points) / 2 ? 1 : 0
    let outer = Self.outer
    let inner = Self.inner
    return "M\(position(Double(start), outer)) A\(outer) \(outer) 0 \(isLarge) 1 \(position(end, outer)) "
      + "L\(position(end, inner)) A\(inner) \(inner) 0 \(isLarge) 0 \(position(Double(start), inner)) Z"
  }

  private func position(_ point: Double, _ radius: Double) -> String {
    let angle = point / Double(Self.points) * 2 * Double.pi
    return String(format: "%.2f %.2f", Self.centre + radius * sin(angle), Self.centre - radius * cos(angle))
  }

  private var centreText: String {
    let lines = [
      report.cluster, "view \(report.version)", "settled \(report.settledVersion)",
      "\(report.members.reduce(0) { $0 + $1.sessions }) sessions",
    ]
    return lines.enumerated().map { index, line in
      "<text x=\"\(Self.centre)\" y=\"\(195 + index * 20)\" text-anchor=\"middle\">\(escaped(line))</text>"
    }.joined(separator: "\n")
  }

  private var legend: String {
    let columns: [(x: Int, title: String, value: (MemberReport) -> String)] = [
      (480, "member", { $0.id }), (690, "state", { $0.state }), (760, "share", { percent($0.share) }),
      (830, "sessions", { String($0.sessions) }), (905, "strays", { String($0.strays) }),
    ]
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

private func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    .replacing("\"", with: "&quot;")
}
