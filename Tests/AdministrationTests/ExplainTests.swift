import HashRing
import Placement
import Sessions
import Testing

@testable import Administration

struct ExplainTests {
  private let window: Window
  private let user: UserID
  private let a = member("a", 1)
  private let b = member("b", 2)

  /// A user that a owns.
  init() throws {
    let current = try view([member("a", 1), member("b", 2)])
    window = Window(settled: current, current: current)
    user = try #require(
      (0..<100).lazy.compactMap { try? UserID("user-\($0)") }
        .first { current.owner(ofUserHash: keyHash($0.text.utf8))?.podID == "a" })
  }

  private func held(_ session: String, epoch: UInt64 = 7) throws -> UserFacts.Held {
    UserFacts.Held(session: try SessionID(session), epoch: Epoch(rawValue: epoch))
  }

  private func record(_ session: String, at member: Member, epoch: UInt64 = 7) throws -> SessionRecord {
    SessionRecord(
      key: SessionKey(user: user, session: try SessionID(session)), podID: member.podID,
      incarnation: member.incarnation, epoch: Epoch(rawValue: epoch))
  }

  private func report(_ pods: [UserFacts.Pod], _ records: [SessionRecord]?, silent: [Fleet.Silence] = [])
    -> ExplainReport
  {
    ExplainReport(
      cluster: "x",
      UserFacts(
        user: user, window: window, records: records, recordsError: records == nil ? "garbage" : "",
        recordsAreAll: records != nil, pods: pods, silent: silent))
  }

  @Test func allAtHomeCostsOneCall() throws {
    let told = report(
      [
        .init(member: a, sessions: [try held("phone")], vouches: true, stamps: window.stamps),
        .init(member: b, stamps: window.stamps),
      ], [try record("phone", at: a)])
    #expect(told.push.rpcs == 1 && told.push.registryReads == 0 && told.push.route == "ring" && told.push.isComplete)
    #expect(told.push.steps.map(\.action) == ["call a, the owner, for all sessions"])
    #expect(told.disagreements == [])
    #expect(told.place.owner?.id == "a" && told.reason.contains("is of a"))
    #expect(told.neighbours.count == 5 && told.neighbours.first { $0.isAfter }?.pod == "a")
  }

  @Test func aStrayCostsAReadAndACallMore() throws {
    let told = report(
      [
        .init(member: a, sessions: [try held("phone")], strays: [b.incarnation], stamps: window.stamps),
        .init(member: b, sessions: [try held("desk")], stamps: window.stamps),
      ], [try record("phone", at: a), try record("desk", at: b)])
    #expect(told.push.rpcs == 2 && told.push.registryReads == 1 && told.push.route == "directory")
    #expect(told.push.sessions.map(\.outcome) == ["delivered", "delivered"] && told.push.isComplete)
    #expect(told.knowledge.map(\.pod) == ["a", "b"] && told.knowledge[0].strays.map(\.pod) == ["b"])
    #expect(told.disagreements == [])
  }

  @Test func anOwnerThatVouchesForTooMuchIsFoundOut() throws {
    let told = report(
      [
        .init(member: a, sessions: [try held("phone")], vouches: true, stamps: window.stamps),
        .init(member: b, sessions: [try held("desk")], stamps: window.stamps),
      ], [try record("phone", at: a), try record("desk", at: b)])
    #expect(Set(told.disagreements.map(\.kind)) == ["stray-missing", "owner-claims-wrongly"])
    // And this is what the push would miss.
    #expect(told.push.sessions.map(\.session) == ["phone"])
  }

  @Test func aSilentOwnerIsGoneRound() throws {
    let told = report(
      [.init(member: b, sessions: [try held("desk")], stamps: window.stamps)], [try record("desk", at: b)],
      silent: [.init(pod: "a", incarnation: 1, reason: "refused")])
    #expect(told.push.steps.map(\.action).first == "call a, the owner, for all sessions")
    #expect(told.push.sessions.map(\.outcome) == ["delivered"] && !told.push.isComplete)
    #expect(told.disagreements.map(\.kind) == ["pod-silent"])
    #expect(told.text(.plain).contains("no answer from a"))
  }

  @Test func viewLeaseAndRecordsThatDiffer() throws {
    let old = WindowStamps(settled: .none, current: ViewStamp(version: 3, digest: 3))
    let told = report(
      [
        .init(member: a, sessions: [try held("phone")], hasLease: false, stamps: old),
        .init(member: b, stamps: window.stamps),
      ], [try record("phone", at: a, epoch: 9)])
    #expect(
      Set(told.disagreements.map(\.kind)) == ["record-with-wrong-epoch", "owner-has-no-lease", "view-behind"])
    let later = report([.init(member: a, sessions: [try held("phone")], stamps: old)], [try record("phone", at: a)])
    #expect(told.confirming(later).disagreements.map(\.kind) == ["view-behind"])
  }

  @Test func recordsThatCanNotBeRead() throws {
    let told = report([.init(member: a, sessions: [try held("phone")], vouches: true, stamps: window.stamps)], nil)
    #expect(told.disagreements.map(\.kind) == ["record-unreadable"])
    #expect(!told.recordsAreAll)
  }
}
