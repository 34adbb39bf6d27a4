internal import Logging
public import Placement
internal import RedisClient
public import Sessions
internal import Synchronization

// Where each session is. Concurrent calls share the client's connection, hence its writes.

extension RedisDirectory {
  /// `register` of one session.
  public func register(
    _ key: SessionKey, podID: String, incarnation: Incarnation, lastEpoch: Epoch, reportsTakeover: Bool = true
  ) async throws(DirectoryError) -> Registration {
    let request = RegistrationRequest(key: key, lastEpoch: lastEpoch, reportsTakeover: reportsTakeover)
    return try await register([request], podID: podID, incarnation: incarnation)[0].get()
  }

  /// Writes the record of each session on `incarnation` with a new epoch, larger than the stored one, the registry's
  /// microseconds and `lastEpoch`. A call that the server gets to only when its time-out is over writes nothing.
  /// - Returns: one result for each request, in their order. They share one round trip; one that failed says nothing of the others.
  public func register(
    _ requests: [RegistrationRequest], podID: String, incarnation: Incarnation
  ) async -> [Result<Registration, DirectoryError>] {
    var results = await registerOnce(requests, podID, incarnation)
    // Late, and answered in time: the server's clock is another one than it was, which is known now.
    let late = results.indices.filter { if case .success(nil) = results[$0] { true } else { false } }
    if !late.isEmpty {
      let repeated = await registerOnce(late.map { requests[$0] }, podID, incarnation)
      for (index, result) in zip(late, repeated) { results[index] = result }
    }
    return results.map { result in
      result.flatMap { registration in
        if let registration { return .success(registration) }
        return .failure(
          DirectoryError(
            code: .unavailable,
            message: """
              the registry of cluster \(cluster) at \(client.configuration.address) failed to register a session in time; \
              connect again
              """))
      }
    }
  }

  /// - Returns: success with nil where it was late by the server's clock.
  private func registerOnce(
    _ requests: [RegistrationRequest], _ podID: String, _ incarnation: Incarnation
  ) async -> [Result<Registration?, DirectoryError>] {
    let latest: RedisArgument
    do throws(DirectoryError) {
      latest = try await latestArgument()
    } catch {
      return requests.map { _ in .failure(error) }
    }
    let sent = started.duration(to: .now)
    // The index first: a record that no index knows of would outlive its pod, an index entry without a record is
    // harmless.
    let replies = await client.evaluate(
      Scripts.register,
      calls: requests.map { request in
        RedisScriptCall(
          keys: [keys.sessions(of: request.key.user)],
          arguments: [
            RedisArgument(request.key.session.text), RedisArgument(podID), RedisArgument(incarnation.rawValue),
            RedisArgument(request.lastEpoch.rawValue), latest, request.reportsTakeover ? "" : "move",
          ], before: indexing(["SADD"], request.key, of: incarnation))
      })
    var results: [Result<Registration?, DirectoryError>] = []
    var takeovers: [(replaced: SessionRecord, by: SessionRecord)] = []
    for (request, reply) in zip(requests, replies) {
      let answer = reply.mapError { failed(Scripts.register.name, $0) }
        .flatMap { registration(of: request.key, podID: podID, incarnation: incarnation, from: $0) }
      results.append(answer.map(\.registration))
      guard case .success(let (registration, time)) = answer else { continue }
      state.withLock { $0.serverClock.answered(time, toCallSent: sent, wasLate: registration == nil) }
      if request.reportsTakeover, let registration, let replaced = registration.replaced {
        takeovers.append((replaced, registration.record))
      }
    }
    await reportTakeovers(takeovers)
    return results
  }

  /// Writes records again with the epochs they have (after a loss of data), in batches. A record with a larger epoch
  /// in the registry stays: it is returned, as stored, and the pod ends its own stream of that session.
  public func restore(_ records: [SessionRecord]) async throws(DirectoryError) -> [SessionRecord] {
    var superseding: [SessionRecord] = []
    var rest = records[...]
    while !rest.isEmpty {
      superseding += try await restoreBatch(Array(rest.prefix(Self.batch)))
      rest = rest.dropFirst(Self.batch)
    }
    return superseding
  }

  /// The session that moved was welcomed: the pod that had it ends its old stream, and is not looked for there any more.
  public func release(_ replaced: SessionRecord, by record: SessionRecord) async {
    do {
      _ = try await replace(record, by: record)
    } catch {
      logger.debug("A record goes on naming the one before", metadata: ["error": "\(error)"])
    }
    await reportTakeover(of: replaced, by: record)
  }

  /// Deletes the record if pod, incarnation and epoch are still these; false when they are not.
  /// - Parameter replaced: put in its place, by the same step, when a move did not come to its welcome. Its pod is told,
  ///   since its stream may have ended meanwhile: then it takes the record away itself.
  public func unregister(_ record: SessionRecord, puttingBack replaced: SessionRecord? = nil)
    async throws(DirectoryError) -> Bool
  {
    let recordsKey = keys.sessions(of: record.key.user)
    if let replaced { return try await putBack(replaced, insteadOf: record) }
    let value = try await evaluate(
      Scripts.unregister, key: recordsKey,
      arguments: [RedisArgument(record.key.session.text), RedisArgument(record.encoded)],
      after: indexing(["SREM"], record.key, of: record.incarnation))
    guard case .bulk(let stored) = value else { return value == .integer(1) }
    await keepIndexed(record.key, stored: stored, incarnation: record.incarnation)
    return false
  }

  private func putBack(_ replaced: SessionRecord, insteadOf record: SessionRecord) async throws(DirectoryError) -> Bool
  {
    let value = try await replace(record, by: replaced)
    if value == .integer(1) { await reportTakeover(of: replaced, by: replaced) }
    return value == .integer(1)
  }

  /// Into the index first: the end of the stream may have struck it out there.
  private func replace(_ record: SessionRecord, by other: SessionRecord) async throws(DirectoryError) -> RedisValue {
    try await evaluate(
      Scripts.unregister, key: keys.sessions(of: record.key.user),
      arguments: [
        RedisArgument(record.key.session.text), RedisArgument(record.encoded), RedisArgument(other.encoded),
      ],
      before: indexing(["SADD"], other.key, of: other.incarnation))
  }

  /// All records of a user, dead incarnations' included: judge them by a view (`View.standing(of:)`).
  public func records(of user: UserID) async throws(DirectoryError) -> [SessionRecord] {
    let recordsKey = keys.sessions(of: user)
    let value: RedisValue
    do {
      value = try await client.send(["HGETALL", RedisArgument(recordsKey)])
    } catch {
      throw failed("read the records of a user", error)
    }
    var reply = try Reply(value, script: "HGETALL", key: recordsKey)
    return try records(of: user, from: &reply, storedAt: recordsKey)
  }

  /// As `records`, and before them, of sessions that are about to move, those of the streams that live meanwhile: they count
  /// where the pod that the session moves to is gone. And whether they are all: not while the registry, having lost data, waits for its members to register
  /// their sessions again. A process that took over without anybody having noticed yet is told by its run id.
  public func vouchedRecords(of user: UserID) async throws(DirectoryError) -> UserRecords {
    let recordsKey = keys.sessions(of: user)
    // In this order: what is whole after the read was whole during it, as becoming whole again takes a lease and more.
    let (replies, runID) = await client.identifiedPipeline([
      ["HGETALL", RedisArgument(recordsKey)], ["HMGET", RedisArgument(keys.meta), "run_id", "settled_version"],
    ])
    let values: [RedisValue]
    do {
      values = [try replies[0].get(), try replies[1].get()]
    } catch {
      throw failed("read the records of a user", error)
    }
    var reply = try Reply(values[0], script: "HGETALL", key: recordsKey)
    let records = try records(of: user, from: &reply, storedAt: recordsKey, withThoseBefore: true)
    guard case .array(let fields) = values[1], fields.count == 2, case .bulk(let known) = fields[0],
      case .bulk = fields[1]
    else { return UserRecords(records: records, areAll: false) }
    return UserRecords(records: records, areAll: runID == String(decoding: known, as: UTF8.self))
  }

  /// Some of the sessions that an incarnation may have records of, by its index: a hint. Begin with cursor 0, and go on
  /// with the one given until it is 0 again; a session may come twice.
  public func indexedSessions(of incarnation: Incarnation, cursor: UInt64) async throws(DirectoryError)
    -> (sessions: [SessionKey], next: UInt64)
  {
    let value: RedisValue
    do {
      value = try await client.send(
        ["SSCAN", RedisArgument(keys.index(of: incarnation)), RedisArgument(cursor), "COUNT", "500"])
    } catch {
      throw failed("read the index of a pod", error)
    }
    var reply = try Reply(value, script: "SSCAN", key: keys.index(of: incarnation))
    let next = try reply.number()
    let entries = try reply.texts()
    return (entries.compactMap(IndexEntry.decode), next)
  }

  /// Until when a call may run that is sent now, in the server's microseconds.
  private func latestArgument() async throws(DirectoryError) -> RedisArgument {
    if let latest = latest(started.duration(to: .now)) { return latest }
    let sent = started.duration(to: .now)
    let value: RedisValue
    do { value = try await client.send(["TIME"]) } catch { throw failed("tell its time", error) }
    var reply = try Reply(value, script: "TIME", key: "the server")
    let time =
      Duration.seconds(Int64(clamping: try reply.number())) + .microseconds(Int64(clamping: try reply.number()))
    state.withLock { $0.serverClock.answered(time, toCallSent: sent) }
    return latest(started.duration(to: .now)) ?? 0
  }

  private func latest(_ sent: Duration) -> RedisArgument? {
    let latest = state.withLock { $0.serverClock.latest(sent + client.configuration.commandTimeout) }
    return latest.map { RedisArgument(UInt64($0 / .microseconds(1))) }
  }

  /// How many records one pipeline restores or sweeps.
  static let batch = 256

  func indexing(_ verb: RedisCommand, _ key: SessionKey, of incarnation: Incarnation) -> RedisCommand {
    RedisCommand(
      verb.arguments + [RedisArgument(keys.index(of: incarnation)), RedisArgument(IndexEntry.encode(key))])
  }

  func records(of user: UserID, from reply: inout Reply, storedAt key: String, withThoseBefore: Bool = false)
    throws(DirectoryError) -> [SessionRecord]
  {
    var records: [SessionRecord] = []
    var before: [SessionRecord] = []
    while !reply.isAtEnd {
      let name = try reply.text()
      let value = try reply.text()
      guard let session = try? SessionID(name) else {
        throw reply.unexpected("\"\(name.prefix(200))\" is no session id")
      }
      let sessionKey = SessionKey(user: user, session: session)
      records.append(try SessionRecord(key: sessionKey, encoded: value, storedAt: key))
      if withThoseBefore, let earlier = SessionRecord(key: sessionKey, before: value) { before.append(earlier) }
    }
    return before + records
  }

  private func registration(of key: SessionKey, podID: String, incarnation: Incarnation, from value: RedisValue)
    -> Result<(registration: Registration?, time: Duration), DirectoryError>
  {
    do throws(DirectoryError) {
      return .success(try registration(of: key, podID: podID, incarnation: incarnation, read: value))
    } catch {
      return .failure(error)
    }
  }

  private func registration(of key: SessionKey, podID: String, incarnation: Incarnation, read value: RedisValue)
    throws(DirectoryError) -> (registration: Registration?, time: Duration)
  {
    let recordsKey = keys.sessions(of: key.user)
    var reply = try Reply(value, script: Scripts.register.name, key: recordsKey)
    let status = try reply.text()
    if status == "late" { return (nil, try reply.microseconds()) }
    guard status == "registered" else {
      // Throws, because the script could not read it.
      let unreadable = try SessionRecord(key: key, encoded: try reply.text(), storedAt: recordsKey)
      throw reply.unexpected("it refused \(unreadable.encoded)")
    }
    let time = try reply.microseconds()
    let record = SessionRecord(
      key: key, podID: podID, incarnation: incarnation, epoch: Epoch(rawValue: try reply.number()))
    let replaced = try reply.text()
    let registration = Registration(
      record: record,
      replaced: replaced.isEmpty ? nil : try SessionRecord(key: key, encoded: replaced, storedAt: recordsKey))
    return (registration, time)
  }

  private func restoreBatch(_ records: [SessionRecord]) async throws(DirectoryError) -> [SessionRecord] {
    for result in await client.pipeline(records.map { indexing(["SADD"], $0.key, of: $0.incarnation) }) {
      if case .failure(let error) = result { throw failed("index restored sessions", error) }
    }
    let latest = try await latestArgument()
    let results = await client.evaluate(
      Scripts.restore,
      calls: records.map { record in
        RedisScriptCall(
          keys: [keys.sessions(of: record.key.user)],
          arguments: [
            RedisArgument(record.key.session.text), RedisArgument(record.encoded), RedisArgument(record.epoch.rawValue),
            latest,
          ])
      })
    var superseding: [SessionRecord] = []
    for (record, result) in zip(records, results) {
      if let stored = try await recordThatStays(record, result) { superseding.append(stored) }
    }
    return superseding
  }

  /// The stored record that stays; nil when `record` was written.
  private func recordThatStays(_ record: SessionRecord, _ result: Result<RedisValue, RedisError>)
    async throws(DirectoryError) -> SessionRecord?
  {
    let recordsKey = keys.sessions(of: record.key.user)
    let value: RedisValue
    do { value = try result.get() } catch { throw failed("restore a session", error) }
    var reply = try Reply(value, script: Scripts.restore.name, key: recordsKey)
    let status = try reply.text()
    if status == "late" {
      // Answered in time, so the clocks have changed against each other, which the next registration finds out.
      state.withLock { $0.serverClock = ServerClock() }
      throw failed(
        "restore a session", RedisError(code: .timeout, message: "the server got to it too late", mayHaveRun: false))
    }
    let text = try reply.text()
    if text.isEmpty { return nil }
    let stored = try SessionRecord(key: record.key, encoded: text, storedAt: recordsKey)
    guard status == "restored" else { return stored }
    await reportTakeover(of: stored, by: record)
    return nil
  }

  /// The entry of an incarnation's index was struck out together with an attempt to delete the record; if the record
  /// turned out to be a newer one of the same incarnation, it goes back in.
  private func keepIndexed(_ key: SessionKey, stored: [UInt8], incarnation: Incarnation) async {
    guard
      let record = try? SessionRecord(
        key: key, encoded: String(decoding: stored, as: UTF8.self), storedAt: keys.sessions(of: key.user)),
      record.incarnation == incarnation
    else { return }
    do {
      _ = try await client.send(indexing(["SADD"], key, of: incarnation))
    } catch {
      logger.warning(
        "A session is missing from its pod's index; should the pod die, its record stays until the session reconnects",
        metadata: ["pushring.incarnation": "\(incarnation)", "error": "\(error)"])
    }
  }
}
