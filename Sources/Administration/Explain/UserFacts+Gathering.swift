internal import Placement
public import RedisDirectory
public import Sessions
internal import Wire

extension UserFacts {
  /// Asks the registry and all pods; who does not answer in time is named.
  /// - Parameter earlier: whoever was silent then is not asked again.
  /// - Returns: nil when nobody ever joined.
  public static func gather(
    of user: UserID, _ directory: RedisDirectory, timeout: Duration = .seconds(2), earlier: [Fleet.Silence] = []
  ) async throws -> UserFacts? {
    guard let window = try await directory.window() else { return nil }
    var request = Pushring_V1_UserSessionsRequest()
    request.userID = user.text
    let asked = await Fleet(window.current.members, timeout: timeout, silent: earlier).ask(incarnation: \.incarnation) {
      [request] client, options in try await client.userSessions(request, options: options)
    }
    // The records after the pods, as in a push.
    var records: UserRecords?
    var recordsError = ""
    do {
      records = try await directory.vouchedRecords(of: user)
    } catch {
      guard error.code == .incompatible else { throw error }
      recordsError = error.message
    }
    return UserFacts(
      user: user, window: window, records: records?.records, recordsError: recordsError,
      recordsAreAll: records?.areAll ?? false, pods: asked.answers.map { UserFacts.Pod($0.member, $0.answer) },
      silent: asked.silent)
  }
}

extension UserFacts.Pod {
  fileprivate init(_ member: Member, _ answer: Pushring_V1_UserSessionsResult) {
    self.init(
      member: member, sessions: answer.sessions.compactMap(UserFacts.Held.init), vouches: answer.complete,
      strays: answer.strayIncarnations.map { Incarnation(rawValue: $0) }, hasLease: answer.hasLease_p,
      stamps: WindowStamps(answer.window))
  }
}

extension UserFacts.Held {
  fileprivate init?(_ held: Pushring_V1_HeldSession) {
    guard let session = try? SessionID(held.sessionID) else { return nil }
    self.init(
      session: session, epoch: Epoch(rawValue: held.epoch), moves: held.moves,
      queuedBytes: Int(clamping: held.queuedBytes), labels: held.labels, isWaiting: held.isWaiting)
  }
}
