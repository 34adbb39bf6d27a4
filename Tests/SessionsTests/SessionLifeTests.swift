import Sessions
import Testing

@Suite struct SessionLifeTests {
  @Test func beforeThePodJoinedNobodyIsAdmitted() {
    var table = SessionTable(limits: SessionLimits())
    #expect(table.streamOpened(1, now: .zero)?.reason == .notReady)
    #expect(table.streamCount == 0)
  }

  @Test func aDrainingPodAdmitsNobodyAndStaysSo() {
    var fixture = Fixture()
    fixture.table.startedDraining()
    fixture.table.becameReady()
    #expect(fixture.table.streamOpened(1, now: .zero)?.reason == .leaving)
  }

  @Test func aFullPodRefusesAndCountsStreamsWithoutHello() {
    var fixture = Fixture { $0.sessions = 2 }
    #expect(fixture.table.streamOpened(1, now: .zero) == nil)
    #expect(fixture.table.streamOpened(2, now: .zero) == nil)
    #expect(fixture.table.streamOpened(3, now: .zero)?.reason == .full)
    _ = fixture.table.streamClosed(1)
    #expect(fixture.table.streamOpened(4, now: .zero) == nil)
  }

  @Test func aSecondHelloIsToEndTheStream() throws {
    var fixture = Fixture()
    try fixture.live(1)
    let second = fixture.table.helloReceived(1, HelloRequest(userID: "bob"), chosenSessionID: "c")
    guard case .endSecond(let end) = second else {
      Issue.record("\(second)")
      return
    }
    #expect(end.reason == .badHello)
    #expect(fixture.table.streamClosed(1) == (try record()))
    #expect(fixture.table.counts.live == 0)
  }

  @Test func aBadHelloEndsOnlyItsStream() throws {
    var fixture = Fixture()
    try fixture.live(1)
    guard case .end(let end) = fixture.hello(2, user: "") else {
      Issue.record("an empty user id was taken")
      return
    }
    #expect(end.reason == .badHello)
    #expect(fixture.table.counts.live == 1)
  }

  @Test func onlyStreamsWithoutHelloTimeOut() throws {
    var fixture = Fixture { $0.helloTimeout = .seconds(5) }
    try fixture.live(1)
    _ = fixture.table.streamOpened(2, now: .seconds(1))
    _ = fixture.table.streamOpened(3, now: .seconds(2))
    _ = fixture.table.streamClosed(3)
    #expect(fixture.table.helloTimeouts(now: .seconds(5.9)) == [])
    #expect(fixture.table.helloTimeouts(now: .seconds(6)) == [2])
    #expect(fixture.table.helloTimeouts(now: .seconds(60)) == [])
    #expect(fixture.table.streamCount == 1)
  }

  @Test func aStreamThatClosedWhileItRegisteredIsGivenBackForUnregistering() throws {
    var fixture = Fixture()
    _ = fixture.hello(1)
    #expect(fixture.table.streamClosed(1) == nil)
    #expect(fixture.table.registered(1, try record()) == .gone)
  }

  @Test func aRecordIsGivenBackOnce() throws {
    var fixture = Fixture()
    try fixture.live(1)
    #expect(fixture.table.streamClosed(1) == (try record()))
    #expect(fixture.table.streamClosed(1) == nil)
  }

  @Test func aFailedRegistrationForgetsTheStream() throws {
    var fixture = Fixture()
    _ = fixture.hello(1)
    #expect(fixture.table.holds(try record().key))
    let isThere = fixture.table.registrationFailed(1)
    #expect(isThere)
    #expect(!fixture.table.holds(try record().key))
    let isStillThere = fixture.table.registrationFailed(1)
    #expect(!isStillThere)
  }

  // MARK: One session, several streams

  @Test func theSameSessionAgainReplacesTheOldStream() throws {
    var fixture = Fixture()
    try fixture.live(1, epoch: 1)
    guard case .welcome(_, let replaced) = try fixture.live(2, epoch: 2) else {
      Issue.record("the second stream was not welcomed")
      return
    }
    #expect(replaced == 1)
    #expect(try fixture.deliver().map(\.stream) == [2])
    // The registry replaced the record already.
    #expect(fixture.table.streamClosed(1) == nil)
  }

  @Test func registrationsThatFinishInTheWrongOrderLeaveTheLargerEpoch() throws {
    var fixture = Fixture()
    _ = fixture.hello(1)
    try fixture.live(2, epoch: 2)
    #expect(fixture.table.registered(1, try record(epoch: 1)) == .superseded)
    #expect(try fixture.deliver().map(\.epoch.rawValue) == [2])
  }

  @Test func aTakeoverEndsOnlyAnOlderEpoch() throws {
    var fixture = Fixture()
    try fixture.live(1, epoch: 5)
    let key = try record().key
    #expect(fixture.table.takenOver(key, newEpoch: Epoch(rawValue: 5)) == nil)
    #expect(fixture.table.takenOver(key, newEpoch: Epoch(rawValue: 6)) == 1)
    #expect(fixture.table.takenOver(key, newEpoch: Epoch(rawValue: 6)) == nil)
    #expect(fixture.table.counts.live == 0)
  }

  @Test func recordsAreThoseOfLiveSessions() throws {
    var fixture = Fixture()
    try fixture.live(1, session: "phone", epoch: 1)
    try fixture.live(2, session: "tablet", epoch: 2)
    _ = fixture.hello(3, session: "laptop")
    #expect(Set(fixture.table.records().map(\.key.session.text)) == ["phone", "tablet"])
    #expect(fixture.table.holds(try record(session: "phone", epoch: 1)))
    #expect(!fixture.table.holds(try record(session: "phone", epoch: 2)))
  }

  @Test func aLiveStreamTakesTheEpochOfARegistrationThatRanLate() throws {
    var fixture = Fixture()
    try fixture.live(1, epoch: 5)
    #expect(fixture.table.adopt(try record(epoch: 6)))
    #expect(try fixture.deliver(to: [("phone", 6)]).map(\.outcome) == [.delivered])
    // Earlier ones, and those of nobody, change nothing.
    #expect(!fixture.table.adopt(try record(epoch: 4)))
    #expect(!fixture.table.adopt(try record(session: "desk", epoch: 9)))
    #expect(fixture.table.holds(try record(epoch: 6)))
  }

  /// Registered elsewhere while its own registration was on its way, maybe by an attempt that the client has given up: it
  /// has to come back, or it would have no record.
  @Test func aSessionThatWasRegisteredElsewhereMeanwhileComesBack() throws {
    var fixture = Fixture()
    _ = fixture.hello(1)
    #expect(fixture.table.takenOver(try record().key, newEpoch: Epoch(rawValue: 5)) == nil)
    #expect(fixture.table.registered(1, try record(epoch: 4)) == .outrun)
    #expect(fixture.table.streamCount == 0)
    // That is over with it.
    _ = fixture.hello(2)
    #expect(fixture.table.registered(2, try record(epoch: 4)) == .welcome(try hello(), replaced: nil))
  }

  @Test func aTakeoverByAnEarlierEpochOutrunsNobody() throws {
    var fixture = Fixture()
    _ = fixture.hello(1)
    _ = fixture.table.takenOver(try record().key, newEpoch: Epoch(rawValue: 3))
    #expect(fixture.table.registered(1, try record(epoch: 4)) == .welcome(try hello(), replaced: nil))
  }

  @Test func aLaterConnectionToThisPodSupersedes() throws {
    var fixture = Fixture()
    _ = fixture.hello(1)
    _ = fixture.hello(2)
    _ = fixture.table.takenOver(try record().key, newEpoch: Epoch(rawValue: 5))
    #expect(fixture.table.registered(1, try record(epoch: 4)) == .superseded)
    #expect(fixture.table.registered(2, try record(epoch: 5)) == .welcome(try hello(), replaced: nil))
  }

  private func hello() throws -> Hello {
    try Hello(HelloRequest(userID: "ann", sessionID: "phone"), chosenSessionID: "")
  }
}
