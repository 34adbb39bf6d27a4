import HashRing
import Placement
import RedisDirectory
import Sessions
import Testing

@testable import Administration

/// Two pods and a few sessions, all in order; each test breaks one thing.
private struct Cluster {
  let members = [member("a", 1), member("b", 2)]
  let window: Window
  /// Users that a and b own.
  let (ofA, ofB): (UserID, UserID)

  init() throws {
    let current = try view(members)
    window = Window(settled: current, current: current)
    let users = try (0..<100).map { try UserID("user-\($0)") }
    func owned(by id: String) throws -> UserID {
      try #require(users.first { current.owner(ofUserHash: keyHash($0.text.utf8))?.podID == id })
    }
    ofA = try owned(by: "a")
    ofB = try owned(by: "b")
  }

  func key(_ user: UserID, _ session: String = "phone") throws -> SessionKey {
    SessionKey(user: user, session: try SessionID(session))
  }

  func record(_ user: UserID, at number: UInt64, epoch: UInt64 = 7, pod: String? = nil) throws -> SessionRecord {
    SessionRecord(
      key: try key(user), podID: pod ?? (number == 1 ? "a" : "b"), incarnation: Incarnation(rawValue: number),
      epoch: Epoch(rawValue: epoch))
  }

  struct Faults {
    var answering: Set<UInt64> = [1, 2]
    var held: [SessionRecord]
    var waiting: [SessionRecord] = []
    var records: [SessionRecord]
    var indexed: [SessionRecord]
    var strays: [(user: UserID, reporter: UInt64, owner: UInt64)] = []
    var departed: Set<Incarnation> = []
    var orders = Orders()
    var indexes: [UInt64] = []
    var unreadable: [UnreadableRecord] = []
  }

  /// A session of each user at its owner.
  func inOrder() throws -> Faults {
    let all = [try record(ofA, at: 1), try record(ofB, at: 2)]
    return Faults(held: all, records: all, indexed: all)
  }

  func look(_ facts: Faults) -> AuditLook {
    var look = AuditLook(window: window, departed: facts.departed, orders: facts.orders)
    for member in members where facts.answering.contains(member.incarnation.rawValue) { look.answered(member) }
    for record in facts.held { look.holds(record.key, epoch: record.epoch, at: record.incarnation) }
    for record in facts.waiting { look.holds(record.key, epoch: record.epoch, at: record.incarnation, isWaiting: true) }
    for stray in facts.strays {
      look.recordedStray(
        userHash: keyHash(stray.user.text.utf8), reporter: Incarnation(rawValue: stray.reporter),
        at: Incarnation(rawValue: stray.owner))
    }
    var part = StoredPart()
    part.records = facts.records
    part.unreadable = facts.unreadable
    look.stored(part)
    for record in facts.indexed { look.indexed(record.key, of: record.incarnation) }
    for number in facts.indexes { look.hasIndex(Incarnation(rawValue: number)) }
    return look
  }

  func kinds(_ facts: Faults) -> [Finding.Kind] {
    var look = look(facts)
    return look.findings(latest: window.current).map(\.kind)
  }
}

struct AuditLookTests {
  private let cluster: Cluster

  init() throws { cluster = try Cluster() }

  @Test func aClusterInOrderIsClean() throws {
    var facts = try cluster.inOrder()
    #expect(cluster.kinds(facts) == [])
    // What is read twice, too.
    facts.records += facts.records
    #expect(cluster.kinds(facts) == [])
  }

  @Test func aRecordOfAnIncarnationThatIsNoMember() throws {
    var facts = try cluster.inOrder()
    facts.records.append(try cluster.record(try UserID("ghost"), at: 1, pod: "a"))
    facts.records[2] = try cluster.record(try UserID("ghost"), at: 0, pod: "z")
    #expect(cluster.kinds(facts) == [.recordOfDeadIncarnation])
  }

  @Test func aRecordNewerThanTheViewCountsOnlyIfNoLaterViewKnowsIt() throws {
    var facts = try cluster.inOrder()
    facts.records.append(try cluster.record(try UserID("ghost"), at: 3, pod: "c"))
    #expect(cluster.kinds(facts) == [.recordOfDeadIncarnation])
    var look = cluster.look(facts)
    let later = try view(cluster.members + [member("c", 3)], version: 5)
    #expect(look.findings(latest: later) == [])
    #expect(look.unjudged == 1)
  }

  @Test func aRecordWithoutASession() throws {
    var facts = try cluster.inOrder()
    facts.held.removeLast()
    facts.indexed.removeLast()
    #expect(cluster.kinds(facts) == [.recordWithoutSession])
  }

  @Test func theRecordOfAPodThatDidNotAnswerIsNotJudged() throws {
    var facts = try cluster.inOrder()
    facts.held.removeLast()
    facts.indexed.removeLast()
    facts.answering = [1]
    var look = cluster.look(facts)
    #expect(look.findings(latest: cluster.window.current) == [])
    #expect(look.unjudged == 1)
  }

  @Test func aRecordMayBeWrittenBeforeTheWelcome() throws {
    var facts = try cluster.inOrder()
    facts.waiting = [facts.held.removeLast()]
    #expect(cluster.kinds(facts) == [])
  }

  @Test func aSessionOnItsWayIsInOrder() throws {
    var facts = try cluster.inOrder()
    // Live at a, recorded for b, which has not welcomed it.
    facts.waiting = [try cluster.record(cluster.ofA, at: 2, epoch: 8)]
    facts.records[0] = facts.waiting[0]
    #expect(cluster.kinds(facts) == [])
  }

  @Test func aRecordAtTheWrongPodOrOfADeadOne() throws {
    var facts = try cluster.inOrder()
    facts.records[0] = try cluster.record(cluster.ofA, at: 2)
    #expect(cluster.kinds(facts) == [.recordAtWrongPod])
    facts.records[0] = try cluster.record(cluster.ofA, at: 0, pod: "z")
    #expect(cluster.kinds(facts) == [.recordAtWrongPod])
    facts.records[0] = try cluster.record(cluster.ofA, at: 1, pod: "b")
    #expect(cluster.kinds(facts) == [.recordAtWrongPod])
  }

  @Test func aRecordWithAnotherEpoch() throws {
    var facts = try cluster.inOrder()
    facts.records[0] = try cluster.record(cluster.ofA, at: 1, epoch: 6)
    #expect(cluster.kinds(facts) == [.recordWithWrongEpoch])
  }

  @Test func aSessionWithoutARecord() throws {
    var facts = try cluster.inOrder()
    facts.records.removeFirst()
    #expect(cluster.kinds(facts) == [.recordMissing])
  }

  @Test(arguments: [false, true], [false, true])
  func aSessionOnTwoPods(theEarlierIsToldFirst: Bool, itsOwnerKnows: Bool) throws {
    var facts = try cluster.inOrder()
    facts.held.insert(try cluster.record(cluster.ofA, at: 2, epoch: 5), at: theEarlierIsToldFirst ? 0 : 2)
    if itsOwnerKnows { facts.strays = [(cluster.ofA, 2, 1)] }
    var look = cluster.look(facts)
    let found = look.findings(latest: cluster.window.current)
    #expect(found.map(\.kind) == [.sessionDoubled])
    // The later first.
    #expect(found.first?.holder?.epoch == 7 && found.first?.other?.epoch == 5)
  }

  @Test func aStrayThatTheOwnerDoesNotKnow() throws {
    var facts = try cluster.inOrder()
    let stray = try cluster.record(cluster.ofA, at: 2)
    facts.held[0] = stray
    facts.records[0] = stray
    facts.indexed[0] = stray
    #expect(cluster.kinds(facts) == [.strayMissing])
    facts.strays = [(cluster.ofA, 2, 1)]
    #expect(cluster.kinds(facts) == [])
    facts.strays = []
    facts.answering = [2]
    #expect(cluster.kinds(facts) == [])
  }

  @Test func straysThatAreNone() throws {
    var facts = try cluster.inOrder()
    // b has no session of this user.
    facts.strays = [(cluster.ofA, 2, 1)]
    #expect(cluster.kinds(facts) == [.strayWrong])
    // b is not the owner of what a has.
    facts.strays = [(cluster.ofA, 1, 2)]
    #expect(cluster.kinds(facts) == [.strayWrong])
    // Told by one that is gone.
    facts.strays = [(cluster.ofA, 0, 1)]
    #expect(cluster.kinds(facts) == [.strayWrong])
  }

  @Test func straysAreNotJudgedWhileAViewHasNotSettled() throws {
    let settled = try view([member("a", 1)], version: 3)
    let window = Window(settled: settled, current: cluster.window.current)
    var look = AuditLook(window: window, departed: [], orders: Orders())
    cluster.members.forEach { look.answered($0) }
    look.recordedStray(
      userHash: keyHash("x".utf8), reporter: Incarnation(rawValue: 2), at: Incarnation(rawValue: 1))
    #expect(look.findings(latest: window.current) == [])
    #expect(!look.isSettled)
  }

  @Test func whatIsLeftOverInIndexes() throws {
    var facts = try cluster.inOrder()
    facts.indexed.append(try cluster.record(cluster.ofA, at: 2))
    #expect(cluster.kinds(facts) == [.indexLeftover])
    facts = try cluster.inOrder()
    // Of a member, of one that is to be swept, of one that nobody knows.
    facts.indexes = [1, 0]
    facts.departed = [Incarnation(rawValue: 0)]
    #expect(cluster.kinds(facts) == [])
    facts.departed = []
    #expect(cluster.kinds(facts) == [.indexLeftover])
  }

  @Test func aSessionThatNoIndexHas() throws {
    var facts = try cluster.inOrder()
    facts.indexed.removeFirst()
    #expect(cluster.kinds(facts) == [.indexEntryMissing])
  }

  @Test func anOrderForAPodThatIsNoMember() throws {
    var facts = try cluster.inOrder()
    facts.orders = Orders(
      number: 2,
      pods: [
        PodOrder(podID: "a", weight: 2, state: .active), PodOrder(podID: "z", weight: nil, state: .drained),
      ])
    #expect(cluster.kinds(facts) == [.orderForUnknownPod])
  }

  @Test func onlyWhatAllLooksAgreeOnIsConfirmed() throws {
    func finding(_ session: String, epoch: UInt64) -> Finding {
      Finding(
        .recordWithoutSession, session: session, record: .init(pod: "a", incarnation: 1, epoch: epoch), detail: "d")
    }
    let looks = [
      [finding("x", epoch: 1), finding("moves", epoch: 1)], [finding("moves", epoch: 2), finding("x", epoch: 1)],
    ]
    #expect(confirmed(looks) == [finding("x", epoch: 1)])
    #expect(confirmed([]) == [])
  }
}

struct RepairTests {
  private let cluster: Cluster

  init() throws { cluster = try Cluster() }

  private func steps(_ facts: Cluster.Faults) -> [RepairStep] {
    var look = cluster.look(facts)
    return repairs(of: look.findings(latest: cluster.window.current)).steps
  }

  @Test func eachFaultHasItsRepair() throws {
    let (a, b) = (Incarnation(rawValue: 1), Incarnation(rawValue: 2))
    var facts = try cluster.inOrder()
    #expect(steps(facts) == [])
    let right = facts.records[0]
    facts.records[0] = try cluster.record(cluster.ofA, at: 2, epoch: 9)
    #expect(steps(facts) == [.replaceRecord(facts.records[0], with: right)])
    facts.records.removeFirst()
    #expect(steps(facts) == [.register(right.key, at: a)])
    facts = try cluster.inOrder()
    facts.held.removeFirst()
    facts.indexed.removeFirst()
    #expect(steps(facts) == [.verify(right.key, at: a)])
    facts = try cluster.inOrder()
    facts.held.append(try cluster.record(cluster.ofA, at: 2, epoch: 5))
    facts.strays = [(cluster.ofA, 2, 1)]
    #expect(steps(facts) == [.endEarlier(facts.held[2], by: right)])
    facts.held.removeLast()
    #expect(steps(facts) == [.retractStrays([keyHash(cluster.ofA.text.utf8)], by: b, at: a)])
    facts = try cluster.inOrder()
    facts.indexes = [0]
    #expect(steps(facts) == [.sweepAway(Incarnation(rawValue: 0))])
  }

  @Test func whatCanNotBeReadIsNotMended() throws {
    var facts = try cluster.inOrder()
    facts.unreadable = [UnreadableRecord(user: "x", session: "y", reason: "format 2")]
    var look = cluster.look(facts)
    let (steps, unmended) = repairs(of: look.findings(latest: cluster.window.current))
    #expect(steps == [] && unmended.map(\.kind) == [.recordUnreadable])
  }
}
