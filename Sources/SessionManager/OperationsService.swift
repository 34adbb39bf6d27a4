/// What operators' commands ask a pod.
internal import GRPCCore
internal import HashRing
internal import Placement
internal import Sessions
internal import Synchronization
internal import Wire

struct OperationsService: Pushring_V1_Operations.SimpleServiceProtocol {
  let hub: SessionHub

  func countSessions(request: Pushring_V1_CountSessionsRequest, context: ServerContext) async throws
    -> Pushring_V1_CountSessionsResult
  {
    var result = Pushring_V1_CountSessionsResult()
    result.window = Pushring_V1_ViewWindow(hub.window?.stamps ?? .none)
    result.incarnation = hub.incarnation?.rawValue ?? 0
    result.limit = UInt64(hub.limits.sessions)
    let owners = try owners(request)
    let wanted = request.userID.isEmpty ? nil : keyHash(request.userID.utf8)
    var counts: [String: Pushring_V1_OwnerCount] = [:]
    for session in hub.snapshots {
      let hash = keyHash(session.record.key.user.text.utf8)
      if let wanted, hash != wanted { continue }
      let (podID, joined) = owners(hash)
      counts[podID, default: Pushring_V1_OwnerCount()].sessions += 1
      if session.hello.moves { counts[podID]?.movable += 1 }
      if session.record.epoch.rawValue < joined { counts[podID]?.olderThanOwner += 1 }
    }
    result.owners = counts.sorted { $0.key < $1.key }.map { podID, count in
      var count = count
      count.podID = podID
      return count
    }
    return result
  }

  func userSessions(request: Pushring_V1_UserSessionsRequest, context: ServerContext) async throws
    -> Pushring_V1_UserSessionsResult
  {
    let user: UserID
    do { user = try UserID(request.userID) } catch { throw RPCError(code: .invalidArgument, message: error.message) }
    return hub.whatIsKnown(of: user)
  }

  func listSessions(
    request: Pushring_V1_ListSessionsRequest, response: RPCWriter<Pushring_V1_SessionPage>, context: ServerContext
  ) async throws {
    var page = Pushring_V1_SessionPage()
    page.incarnation = hub.incarnation?.rawValue ?? 0
    let (sessions, waiting) = hub.liveAndWaiting
    page.sessions = waiting
    try await response.write(page)
    for first in stride(from: 0, to: sessions.count, by: Self.pageSize) {
      page.sessions = sessions.dropFirst(first).prefix(Self.pageSize).map { Pushring_V1_HeldSession($0, labels: false) }
      try await response.write(page)
    }
  }

  func listStrays(
    request: Pushring_V1_ListStraysRequest, response: RPCWriter<Pushring_V1_StrayPage>, context: ServerContext
  ) async throws {
    var page = Pushring_V1_StrayPage()
    page.incarnation = hub.incarnation?.rawValue ?? 0
    let strays = hub.readPlacement { $0.recordedStrays } ?? []
    for first in stride(from: 0, to: max(1, strays.count), by: Self.pageSize) {
      let some = strays.dropFirst(first).prefix(Self.pageSize)
      page.userHashes = some.map(\.userHash)
      page.reporters = some.map(\.reporter.rawValue)
      try await response.write(page)
    }
  }

  func repair(request: Pushring_V1_RepairRequest, context: ServerContext) async throws -> Pushring_V1_RepairResult {
    var result = Pushring_V1_RepairResult()
    result.incarnation = hub.incarnation?.rawValue ?? 0
    for session in request.register {
      guard let key = session.key, let record = hub.record(of: key) else {
        result.gone += 1
        continue
      }
      result.registered += 1
      hub.later(.restore(record))
    }
    for session in request.verify {
      if let key = session.key { hub.later(.verify(key)) }
    }
    if request.reportsStraysAnew { hub.changePlacement { $0.reportAnew() } }
    for wrong in request.wrongStrays {
      hub.changePlacement { $0.retractWrong(wrong.userHashes, at: Incarnation(rawValue: wrong.owner)) }
    }
    return result
  }

  private static let pageSize = 1_000

  /// Who owns a hash, and when that process joined, by the registry's clock; of the ring that was asked for.
  private func owners(_ request: Pushring_V1_CountSessionsRequest) throws -> (UInt64) -> (
    podID: String, joined: UInt64
  ) {
    if request.members.isEmpty {
      let view = hub.window?.current
      return { hash in
        // Incarnations and epochs are both the registry's microseconds.
        guard let owner = view?.owner(ofUserHash: hash) else { return ("", 0) }
        return (owner.podID, owner.incarnation.rawValue)
      }
    }
    do {
      let cap = request.shareCapPercent == 0 ? nil : try ShareCap(percent: Int(request.shareCapPercent))
      let ring = try HashRing(
        members: request.members.map { RingMember(id: $0.podID, weight: Int($0.weight)) },
        tokensPerWeight: Int(request.tokensPerWeight), shareCap: cap)
      return { hash in (ring.owner(of: hash)?.id ?? "", 0) }
    } catch {
      throw RPCError(code: .invalidArgument, message: "no ring can be made of these members: \(error.message)")
    }
  }
}

extension Pushring_V1_HeldSession {
  init(_ session: SessionSnapshot, labels withLabels: Bool) {
    self.init()
    userID = session.record.key.user.text
    sessionID = session.record.key.session.text
    epoch = session.record.epoch.rawValue
    moves = session.hello.moves
    queuedBytes = UInt64(clamping: session.queuedBytes)
    if withLabels { labels = session.hello.labels }
  }

  /// One that waits for its welcome.
  init(waiting key: SessionKey, epoch: Epoch) {
    self.init()
    userID = key.user.text
    sessionID = key.session.text
    self.epoch = epoch.rawValue
    isWaiting = true
  }

  /// Nil when it names none.
  var key: SessionKey? {
    guard let user = try? UserID(userID), let session = try? SessionID(sessionID) else { return nil }
    return SessionKey(user: user, session: session)
  }
}

extension SessionHub {
  /// As of one moment.
  func whatIsKnown(of user: UserID) -> Pushring_V1_UserSessionsResult {
    let hash = hash(of: user)
    let stamps = window?.stamps ?? .none
    return state.withLock { state in
      var result = Pushring_V1_UserSessionsResult()
      result.window = Pushring_V1_ViewWindow(stamps)
      result.incarnation = state.placement?.incarnation.rawValue ?? 0
      result.sessions =
        state.waiting { $0.user == user }
        + state.table.snapshots(of: user).map { Pushring_V1_HeldSession($0, labels: true) }
      guard let placement = state.placement else { return result }
      let claim = placement.claim(forUserHash: hash, now: now)
      result.complete = claim.isComplete
      result.strayIncarnations = claim.strays.map(\.rawValue)
      result.hasLease_p = placement.hasLease(now: now)
      return result
    }
  }

  /// Of a live session.
  func record(of key: SessionKey) -> SessionRecord? {
    state.withLock { $0.table.record(of: key) }
  }

  /// Live sessions, in no order.
  var snapshots: [SessionSnapshot] { state.withLock { $0.table.snapshots() } }

  /// As of one moment; also sessions whose records may be written, and that are not welcomed yet.
  var liveAndWaiting: (live: [SessionSnapshot], waiting: [Pushring_V1_HeldSession]) {
    state.withLock { ($0.table.snapshots(), $0.waiting { _ in true }) }
  }
}

extension SessionHub.State {
  fileprivate func waiting(where isWanted: (SessionKey) -> Bool) -> [Pushring_V1_HeldSession] {
    var epochs = Dictionary(uniqueKeysWithValues: table.registeringKeys.filter(isWanted).map { ($0, Epoch.none) })
    for pending in admissions.values where isWanted(pending.record.key) {
      epochs[pending.record.key] = max(pending.record.epoch, epochs[pending.record.key] ?? .none)
    }
    return epochs.map { Pushring_V1_HeldSession(waiting: $0, epoch: $1) }
  }
}
