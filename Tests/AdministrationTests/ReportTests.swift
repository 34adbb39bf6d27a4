import Foundation
import HashRing
import Placement
import RedisDirectory
import Sessions
import Testing

@testable import Administration

func member(_ id: String, _ incarnation: UInt64, _ state: MemberState = .active, weight: Int = 1) -> Member {
  Member(
    incarnation: Incarnation(rawValue: incarnation),
    description: MemberDescription(
      podID: id, endpoint: "\(id):7400", peerEndpoint: "\(id):7401", weight: weight, zone: "z"),
    state: state, since: 1)
}

func view(_ members: [Member], version: UInt64 = 4) throws -> View {
  try View(stamp: ViewStamp(version: version, digest: 0xabc), members: members)
}

struct ClusterReportTests {
  @Test func sharesOfTheActiveAddUpToOneAndOthersHaveNone() throws {
    let current = try view([member("a", 1), member("b", 2), member("c", 3, .draining), member("d", 4, .grace)])
    let report = ClusterReport(
      cluster: "x", window: Window(settled: try view([], version: 3), current: current), status: [])
    #expect(abs(report.members.reduce(0) { $0 + $1.share } - 1) < 1e-9)
    #expect(report.members.map { $0.share > 0 } == [true, true, false, false])
    #expect(report.version == 4 && report.settledVersion == 3 && report.digest == "abc")
  }

  @Test func ofTwoProcessesWithOnePodIDOnlyTheLaterHasAShare() throws {
    let current = try view([member("a", 1), member("a", 5), member("b", 2)])
    let report = ClusterReport(cluster: "x", window: Window(settled: current, current: current), status: [])
    #expect(report.members.map { $0.incarnation } == [1, 5, 2])
    #expect(report.members[0].share == 0 && report.members[1].share > 0)
    #expect(abs(report.members.reduce(0) { $0 + $1.share } - 1) < 1e-9)
  }

  @Test func loadAndLeaseComeFromTheMembersLastRenewal() throws {
    let current = try view([member("a", 1)])
    let status = MemberStatus(
      member: member("a", 1), leaseLeft: .milliseconds(2_250), load: MemberLoad(sessions: 12, strays: 3))
    let report = ClusterReport(cluster: "x", window: Window(settled: current, current: current), status: [status])
    #expect(report.members[0].sessions == 12 && report.members[0].strays == 3)
    #expect(report.members[0].leaseSeconds == 2.25)
  }

  @Test func theJSONHasTheNamesThatScriptsRelyOn() throws {
    let current = try view([member("a", 1)])
    let report = ClusterReport(cluster: "x", window: Window(settled: current, current: current), status: [])
    let object = try #require(try JSONSerialization.jsonObject(with: Data(reportJSON(report).utf8)) as? [String: Any])
    #expect(Set(object.keys).isSuperset(of: ["version", "settledVersion", "members"]))
    let first = try #require((object["members"] as? [[String: Any]])?.first)
    #expect(
      Set(first.keys).isSuperset(of: [
        "id", "incarnation", "state", "weight", "zone", "share", "sessions", "strays", "leaseSeconds",
      ]))
  }

  @Test func theTableHasARowPerMember() throws {
    let current = try view([member("a", 1), member("long-name", 2)])
    let report = ClusterReport(cluster: "x", window: Window(settled: current, current: current), status: [])
    let lines = report.text(.plain).split(separator: "\n", omittingEmptySubsequences: false)
    #expect(lines[0] == "cluster x  view 4 (settled)  members 2  sessions 0  strays 0")
    #expect(lines[2].hasPrefix("MEMBER     INCARNATION  STATE"))
    #expect(lines[4].hasPrefix("long-name            2  active"))
  }
}

struct RingPictureTests {
  @Test(arguments: [0, 1, 3, 40])
  func theSVGIsWellFormedAndNamesEveryMember(count: Int) throws {
    let current = try view((0..<count).map { member("pod-\($0)", UInt64($0 + 1)) })
    let report = ClusterReport(cluster: "<&\">", window: Window(settled: current, current: current), status: [])
    let svg = RingPicture(report: report, view: current).svg
    for index in 0..<count { #expect(svg.contains(">pod-\(index)</text>")) }
    #expect(svg.contains("<path") == (count > 0))
    #expect(try XMLNode.opened(svg) == XMLNode.closed(svg))
  }
}

extension RingPictureTests {
  @Test func forOneUserTheOwnerStandsOutAndTheHashIsMarked() throws {
    let current = try view([member("a", 1), member("b", 2), member("c", 3)])
    let report = ClusterReport(cluster: "x", window: Window(settled: current, current: current), status: [])
    let owner = OwnerReport(user: try UserID("al<ice"), view: current, successors: 1)
    let svg = RingPicture(report: report, view: current, user: owner).svg
    #expect(try XMLNode.opened(svg) == XMLNode.closed(svg))
    #expect(svg.matches(of: />(owner|successor 1)<\/text>/).map { String($0.1) }.sorted() == ["owner", "successor 1"])
    #expect(svg.contains("stroke=\"black\" stroke-width=\"3\"><title>al&lt;ice</title>"))
    #expect(svg.contains("<title>Owner of al&lt;ice in cluster x</title>"))
    let pale = svg.matches(of: /fill-opacity="0.25"><title>([abc])</).map(\.1)
    #expect(Set(pale.map(String.init)) == Set(["a", "b", "c"]).subtracting([owner.owner?.id ?? ""]))
  }

  @Test func aUserThatNobodyOwnsHasAPictureToo() throws {
    let current = try view([])
    let report = ClusterReport(cluster: "x", window: Window(settled: current, current: current), status: [])
    let svg = RingPicture(report: report, view: current, user: OwnerReport(user: try UserID("u"), view: current)).svg
    #expect(try XMLNode.opened(svg) == XMLNode.closed(svg))
  }
}

/// Enough of a check for a document without comments: as many elements end as begin.
private enum XMLNode {
  static func opened(_ text: String) throws -> Int { text.matches(of: try Regex("<[a-z]")).count }
  static func closed(_ text: String) throws -> Int { text.matches(of: try Regex("</|/>")).count }
}

struct OwnerReportTests {
  @Test func theOwnerIsTheFirstOfTheSuccessors() throws {
    let current = try view([member("a", 1), member("b", 2), member("c", 3)])
    let user = try UserID("alice")
    let report = OwnerReport(user: user, view: current)
    let expected = current.successors(ofUserHash: keyHash(user.text.utf8), count: 3).map(\.podID)
    #expect([report.owner?.id] + report.successors.map(\.id) == expected)
    #expect(report.hash.count == 16)
  }

  @Test func withoutActiveMembersNobodyOwnsTheUser() throws {
    let report = OwnerReport(user: try UserID("alice"), view: try view([member("a", 1, .draining)]))
    #expect(report.owner == nil)
    #expect(report.text(.plain).contains("nobody owns"))
  }
}

struct SessionsReportTests {
  @Test func recordsAreJudgedByTheView() throws {
    let current = try view([member("a", 5), member("b", 6), member("c", 7, .grace)])
    let user = try UserID("alice")
    let owner = try #require(current.owner(ofUserHash: keyHash(user.text.utf8)))
    let other: UInt64 = owner.incarnation.rawValue == 5 ? 6 : 5
    let records = try [
      ("1", owner.incarnation.rawValue), ("2", other), ("3", 7), ("4", 2), ("5", 9),
    ].map { session, incarnation in
      SessionRecord(
        key: SessionKey(user: user, session: try SessionID(session)), podID: "p",
        incarnation: Incarnation(rawValue: incarnation), epoch: Epoch(rawValue: 1))
    }
    let report = SessionsReport(user: user, records: records.reversed(), view: current)
    #expect(report.sessions.map(\.place) == [.owner, .stray, .grace, .void, .newer])
  }

  @Test func whatAClientChoseDoesNotSteerTheTerminal() {
    var table = TextTable([("A", .left), ("N", .right)])
    table.add(["x\u{1b}[31m", "7"])
    #expect(table.text == "A       N\nx?[31m  7\n")
  }
}
