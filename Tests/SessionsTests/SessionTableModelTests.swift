import Placement
import Sessions
import Testing

/// The compact table against a plain one, over random events.
@Suite struct SessionTableModelTests {
  @Test(arguments: 0..<12) func anyEventsHaveThePlainTablesOutcomes(_ seed: UInt64) throws {
    var run = try ModelRun(seed: seed)
    for _ in 0..<1_500 { try run.step() }
    try run.closeAll()
  }

  @Test func aPlaceThatIsUsedAgainIsAnotherStream() throws {
    var fixture = Fixture()
    try fixture.live(1 << 32 | 5)
    _ = fixture.table.streamClosed(StreamID(rawValue: 1 << 32 | 5))
    try fixture.live(2 << 32 | 5, user: "bob")
    #expect(fixture.table.streamClosed(StreamID(rawValue: 1 << 32 | 5)) == nil)
    #expect(fixture.table.snapshot(of: StreamID(rawValue: 1 << 32 | 5)) == nil)
    #expect(fixture.table.snapshot(of: StreamID(rawValue: 2 << 32 | 5))?.record.key.user.text == "bob")
  }

  @Test func aSnapshotShowsWhatHelloSaid() throws {
    var fixture = Fixture()
    let labels = ["platform": "watch", "": "", "app": String(repeating: "é", count: 128)].filter { !$0.key.isEmpty }
    _ = fixture.table.streamOpened(1, now: .zero)
    let request = HelloRequest(
      userID: "änn", sessionID: "phöne", epoch: 3, labels: labels, moves: true, acknowledges: false)
    _ = fixture.table.helloReceived(1, request, chosenSessionID: "")
    _ = fixture.table.registered(1, try record(user: "änn", session: "phöne", epoch: 4))
    let snapshot = try #require(fixture.table.snapshot(of: 1))
    #expect(snapshot.hello == (try Hello(request, chosenSessionID: "")))
    #expect(snapshot.record == (try record(user: "änn", session: "phöne", epoch: 4)))
  }

  /// What grew for a storm must not stay.
  @Test func manySessionsOfOneUserAreFoundAndLeaveNothingBehind() throws {
    var fixture = Fixture()
    for number in 0..<5_000 { try fixture.live(UInt64(number), session: "s\(number)", epoch: 1) }
    #expect(try fixture.deliver().map(\.session.text) == (0..<5_000).map { "s\($0)" })
    #expect(try fixture.deliver(to: [("s4999", 1), ("s5000", 1)]).map(\.outcome) == [.delivered, .gone])
    for number in 0..<5_000 { _ = fixture.table.streamClosed(StreamID(rawValue: UInt64(number))) }
    #expect(try fixture.deliver().isEmpty)
    #expect(fixture.table.streamCount == 0)
    #expect(fixture.table.counts.live == 0)
  }
}

private struct ModelRun {
  private var random: SplitMix
  private var table: SessionTable
  private var model: TableModel
  private var now = Duration.zero
  private var generation: UInt64 = 0
  private var epoch: UInt64 = 10
  private let users: [UserID]
  private let sessions: [SessionID]
  private static let places: UInt64 = 24

  init(seed: UInt64) throws {
    random = SplitMix(state: seed)
    var limits = SessionLimits()
    limits.outboundBytes = 1_000
    // With half of them the rest decides, once a few have something queued.
    if seed.isMultiple(of: 2) { limits.outboundTotalBytes = 18_000 }
    limits.messageBytes = 600
    limits.sessions = seed.isMultiple(of: 3) ? 16 : 0
    limits.slowPolicy = SlowPolicy.allCases[Int(seed % 3)]
    table = SessionTable(limits: limits)
    table.becameReady()
    model = TableModel(limits: limits)
    users = try ["ann", "bob", "a much longer name than fits into a word", "ann1"].map { try UserID($0) }
    sessions = try ["1", "phone", "a session id of many more bytes than that"].map { try SessionID($0) }
  }

  mutating func step() throws {
    now += .milliseconds(random.below(200))
    switch random.below(20) {
    case 0..<4: open()
    case 4..<7: hello()
    case 7..<10: registered()
    case 10: registrationFailed(someStream())
    case 11: close(someStream())
    case 12: takenOver()
    case 13: adopt()
    case 14: timeouts()
    case 15: written()
    default: deliver()
    }
    compare()
  }

  // MARK: Events

  private mutating func open() {
    let taken = Set(model.streams.keys.map(\.place))
    let free = (0..<Self.places).filter { !taken.contains(Int($0)) }
    guard !free.isEmpty else { return }
    generation += 1
    let stream = StreamID(rawValue: generation << 32 | free[random.below(free.count)])
    #expect(table.streamOpened(stream, now: now)?.reason == model.opened(stream, now: now))
  }

  private mutating func hello() {
    let stream = someStream()
    let isBad = random.below(10) == 0
    let request = HelloRequest(
      userID: isBad ? "" : someUser().text, sessionID: someSession().text, epoch: UInt64(random.below(5)),
      labels: random.below(2) == 0 ? [:] : ["app": "\(random.below(100))"], moves: random.below(2) == 0)
    let expected = model.helloReceived(stream, request)
    switch table.helloReceived(stream, request, chosenSessionID: "chosen") {
    case .register(let hello): #expect(hello == expected?.hello)
    case .end(let end):
      #expect(end.reason == .badHello)
      #expect(expected != nil && expected?.hello == nil && expected?.unregister == nil)
    case .endSecond(let end):
      #expect(end.reason == .badHello)
      #expect(expected?.hello == nil && expected?.unregister == table.streamClosed(stream))
    case .nothing: #expect(expected == nil)
    }
  }

  private mutating func registered() {
    let stream = someStream()
    // As registered for the stream's own session, if it waits for that.
    var key = SessionKey(user: someUser(), session: someSession())
    if case .registering(let hello) = model.streams[stream]?.state { key = hello.key }
    let record = someRecord(key)
    #expect(table.registered(stream, record) == model.registered(stream, record))
  }

  private mutating func registrationFailed(_ stream: StreamID) {
    #expect(table.registrationFailed(stream) == model.registrationFailed(stream))
  }

  private mutating func close(_ stream: StreamID) {
    #expect(table.streamClosed(stream) == model.closed(stream))
  }

  private mutating func takenOver() {
    let (key, newEpoch) = (someKey(), Epoch(rawValue: epoch - UInt64(random.below(6))))
    #expect(table.takenOver(key, newEpoch: newEpoch) == model.takenOver(key, newEpoch: newEpoch))
  }

  private mutating func adopt() {
    let record = someRecord(someKey())
    #expect(table.adopt(record) == model.adopt(record))
  }

  private mutating func timeouts() {
    let late = table.helloTimeouts(now: now)
    #expect(Set(late) == model.timeouts(now: now))
  }

  private mutating func deliver() {
    let targets = (0..<random.below(4)).map { _ in
      DeliveryTarget(session: someSession(), epoch: Epoch(rawValue: epoch - UInt64(random.below(8))))
    }
    let bytes = 1 + random.below(700)
    let (user, size) = (someUser(), MessageSize(payloadBytes: bytes, frameBytes: bytes + 10))
    let deliveries = table.deliver(to: user, targets: targets, size: size)
    #expect(deliveries.map(TableModel.Delivery.init) == model.deliver(to: user, targets: targets, size: size))
  }

  private mutating func written() {
    let (stream, bytes) = (someStream(), random.below(900))
    switch random.below(4) {
    case 0: #expect(table.answerQueued(stream, bytes: bytes) == model.queue(stream, bytes))
    case 1:
      table.noticeQueued(stream, frameBytes: bytes)
      model.noticeQueued(stream, bytes)
    default:
      table.bytesWritten(stream, bytes)
      model.written(stream, bytes)
    }
  }

  mutating func closeAll() throws {
    for stream in Array(model.streams.keys) { close(stream) }
    compare()
    #expect(table.streamCount == 0)
  }

  // MARK: The state after each

  private func compare() {
    same(Set(table.streamIDs), Set(model.streams.keys), "streams")
    same(table.streamCount, model.streams.count, "streams' number")
    same(table.counts.live, model.live, "live sessions")
    same(table.counts.queuedBytes, model.queuedBytes, "queued bytes")
    same(Set(table.records()), model.records, "records")
    for user in users {
      for session in sessions {
        let key = SessionKey(user: user, session: session)
        same(table.isRegistering(key), model.registering(key) > 0, "registering \(key)")
        same(table.holds(key), model.registering(key) > 0 || model.liveStream(of: key) != nil, "holding \(key)")
      }
    }
  }

  /// Plainly compared: expectations take longer than all else here.
  private func same<Value: Equatable>(_ actual: Value, _ expected: Value, _ what: String) {
    if actual != expected { Issue.record("\(what): \(actual), and the plain table has \(expected)") }
  }

  // MARK: Choices

  /// Mostly one that is open; also one that is gone.
  private mutating func someStream() -> StreamID {
    let open = model.streams.keys.sorted { $0.rawValue < $1.rawValue }
    guard !open.isEmpty, random.below(8) > 0 else {
      return StreamID(
        rawValue: UInt64(random.below(Int(generation) + 1)) << 32 | UInt64(random.below(Int(Self.places))))
    }
    return open[random.below(open.count)]
  }

  private mutating func someUser() -> UserID { users[random.below(users.count)] }
  private mutating func someSession() -> SessionID { sessions[random.below(sessions.count)] }
  private mutating func someKey() -> SessionKey { SessionKey(user: someUser(), session: someSession()) }

  /// Mostly by the one incarnation; out of order now and then.
  private mutating func someRecord(_ key: SessionKey) -> SessionRecord {
    epoch += 1
    let isOther = random.below(10) == 0
    return SessionRecord(
      key: key, podID: "a", incarnation: Incarnation(rawValue: isOther ? 8 : 7),
      epoch: Epoch(rawValue: epoch - UInt64(random.below(4))))
  }
}

/// Vigna's SplitMix64, so that a seed replays.
private struct SplitMix {
  var state: UInt64

  mutating func below(_ bound: Int) -> Int {
    state &+= 0x9e37_79b9_7f4a_7c15
    var value = state
    value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
    value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
    return Int((value ^ (value >> 31)) % UInt64(bound))
  }
}
