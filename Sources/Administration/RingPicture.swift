internal import Foundation
internal import HashRing
public import Placement

/// The ring as an SVG: three bands around the cluster's figures, and a legend.
///
/// - The outer band is the ring itself: hash 0 at the top, clockwise, each stretch in its owner's colour. With 256 tokens per
///   member that is hundreds of arcs, thinner than a pixel each, so it shows who owns each of 720 points, half a degree
///   apart: it looks the same, and has the same size for any cluster.
/// - The middle band has each member's share in one piece, with its name where there is room.
/// - The inner band has the sessions that are live, by the member that they are on; hatched those that belong elsewhere.
///
/// For one user, a line across the outer band shows where the user's hash lies, in a picture that is pale but for the owner,
/// and the legend names the owner and its successors.
public struct RingPicture: Sendable {
  let report: ClusterReport
  let user: OwnerReport?
  private let view: View
  private let colours: [String: String]

  private static let points = 720
  private static let centre = 230.0

  /// - Parameter user: whose place on the ring is marked; of the same view.
  public init(report: ClusterReport, view: View, user: OwnerReport? = nil) {
    self.report = report
    self.view = view
    self.user = user
    let ids = Set(report.members.map(\.id)).sorted()
    colours = Dictionary(uniqueKeysWithValues: ids.enumerated().map { ($1, Self.colour(number: $0)) })
  }

  public var svg: String {
    let width = 1200
    let height = max(520, 110 + report.members.count * 26)
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" \
      font-family="sans-serif" font-size="13">
      <title>\(escaped(title))</title>
      <defs><pattern id="astray" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">\
      <rect width="3" height="6" fill="black" fill-opacity="0.45"/></pattern></defs>
      <rect width="100%" height="100%" fill="white"/>
      \(bands)
      \(mark)
      \(centreText)
      \(captions)
      \(legend)
      </svg>

      """
  }

  func colour(of member: String) -> String { colours[member] ?? "grey" }

  // MARK: Bands

  /// From `start` to `end` in points, clockwise from the top.
  private struct Arc {
    let member: String
    let start: Double
    var end: Double
    var isAstray = false
  }

  private var bands: String {
    let outer = stretches.map { arc($0, outer: 210, inner: 168, words: $0.member) }
    let middle = shares.map { arc($0, outer: 160, inner: 134, words: "\($0.member): \(percent(share(of: $0.member)))") }
    let inner = sessions.map { piece in
      arc(piece, outer: 126, inner: 104, words: "\(piece.member): \(piece.isAstray ? "strays" : "sessions")")
    }
    return (outer + middle + inner + shares.compactMap(name)).joined(separator: "\n")
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

  /// Each member's, those that are astray last.
  private var sessions: [Arc] {
    let all = Double(max(1, report.sessions))
    var start = 0.0
    return report.members.flatMap { member -> [Arc] in
      let strays = min(member.strays, member.sessions)
      return [(member.sessions - strays, false), (strays, true)].filter { $0.0 > 0 }.map { count, isAstray in
        let end = start + Double(count) / all * Double(Self.points)
        defer { start = end }
        return Arc(member: member.id, start: start, end: end, isAstray: isAstray)
      }
    }
  }

  private func share(of member: String) -> Double {
    report.members.filter { $0.id == member }.reduce(0) { $0 + $1.share }
  }

  private func arc(_ arc: Arc, outer: Double, inner: Double, words: String) -> String {
    // A whole circle has no beginning and end that an arc could join.
    let end = min(arc.end, arc.start + Double(Self.points) - 0.01)
    let isLarge = end - arc.start > Double(Self.points) / 2 ? 1 : 0
    let path =
      "M\(position(arc.start, outer)) A\(outer) \(outer) 0 \(isLarge) 1 \(position(end, outer)) "
      + "L\(position(end, inner)) A\(inner) \(inner) 0 \(isLarge) 0 \(position(arc.start, inner)) Z"
    let isPale = user?.owner.map { $0.id != arc.member } ?? false
    let filled =
      "<path d=\"\(path)\" fill=\"\(colour(of: arc.member))\"\(isPale ? " fill-opacity=\"0.25\"" : "")>"
      + "<title>\(escaped(words))</title></path>"
    return filled + (arc.isAstray ? "<path d=\"\(path)\" fill=\"url(#astray)\"/>" : "")
  }

  /// On its part of the middle band, along it, where it fits.
  private func name(on arc: Arc) -> String? {
    let degrees = (arc.start + arc.end) / 2 / Double(Self.points) * 360
    // About 7 pixels a letter, on a circle of 147 pixels' radius.
    let room = Int((arc.end - arc.start) / Double(Self.points) * 2 * Double.pi * 147 / 7) - 1
    guard arc.member.count <= room else { return nil }
    let isBelow = (90...270).contains(degrees)
    let turn = isBelow ? degrees + 180 : degrees
    let place = position((arc.start + arc.end) / 2, isBelow ? 151 : 143)
    return "<text transform=\"translate(\(place)) rotate(\(oneDecimal(turn)))\" text-anchor=\"middle\" fill=\"white\" "
      + "font-size=\"12\" font-weight=\"bold\" aria-hidden=\"true\"><tspan>\(escaped(arc.member))</tspan></text>"
  }

  /// Where the user's hash lies.
  private var mark: String {
    guard let user, let hash = UInt64(user.hash, radix: 16) else { return "" }
    let point = Double(hash) / Double(UInt64.max) * Double(Self.points)
    let line = "M\(position(point, 164)) L\(position(point, 222))"
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
    let settled = report.settledVersion == report.version ? "settled" : "settled \(report.settledVersion)"
    var lines = [shortened(report.cluster, 22), "view \(report.version), \(settled)"]
    if let user {
      lines += [shortened(user.user, 22), user.hash]
    } else {
      lines += ["\(report.sessions) sessions", "\(report.strays) strays"]
    }
    return lines.enumerated().map { index, line in
      text(line, x: Self.centre, y: Double(205 + index * 20), "text-anchor=\"middle\"")
    }.joined(separator: "\n")
  }

  private var captions: String {
    [
      "outside: whose each stretch of the hash circle is, 0 at the top",
      "middle: each pod's share of it, in one piece",
      "inside: live sessions by pod; hatched: strays, which belong on another",
    ].enumerated().map { index, line in
      text(line, x: Self.centre, y: Double(466 + index * 18), "text-anchor=\"middle\" font-size=\"12\" fill=\"#555\"")
    }.joined(separator: "\n")
  }

  /// The golden angle keeps neighbours in the list apart, however many there are. As "#rrggbb", which every reader of SVG
  /// knows.
  private static func colour(number: Int) -> String {
    let hue = (Double(number) * 137.508 + 210).truncatingRemainder(dividingBy: 360)
    let (saturation, lightness) = (0.55, number % 2 == 0 ? 0.45 : 0.58)
    let digits = [0.0, 8, 4].map { offset in
      let k = (offset + hue / 30).truncatingRemainder(dividingBy: 12)
      let amount = lightness - saturation * min(lightness, 1 - lightness) * max(-1, min(k - 3, 9 - k, 1))
      return String(format: "%02x", Int((amount * 255).rounded()))
    }
    return "#" + digits.joined()
  }
}

func text(_ words: String, x: Double, y: Double, _ attributes: String = "") -> String {
  "<text x=\"\(x)\" y=\"\(y)\"\(attributes.isEmpty ? "" : " " + attributes)>\(escaped(words))</text>"
}

func shortened(_ text: String, _ length: Int) -> String {
  text.count > length ? text.prefix(length - 1) + "…" : text
}

func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    .replacing("\"", with: "&quot;")
}
