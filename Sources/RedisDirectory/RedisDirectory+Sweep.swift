internal import Logging
internal import Placement
internal import RedisClient
internal import Sessions

// Cleaning up behind the dead. The membership scripts list who departed; the index of each says which records it may
// have left. An index entry proves nothing (the session may long be elsewhere), so each record is read, and deleted
// only if it still is what was read.

extension RedisDirectory {
  /// Deletes up to `limit` records of one incarnation that is neither in the view nor in grace; comparing before
  /// deleting. Safe to run from several pods at once. A few round trips.
  public func sweep(limit: Int) async throws(DirectoryError) -> SweepResult {
    guard limit > 0 else {
      throw DirectoryError(code: .invalidArgument, message: "a sweep of \(limit) records does nothing; give 1 or more")
    }
    var deleted = 0
    // Most of the departed left in good order and left nothing: go on to the first that did.
    for _ in 0..<Self.departedPerSweep {
      guard let incarnation = try await longestDeparted() else { break }
      let entries = try await indexEntries(of: incarnation, limit: limit)
      if entries.isEmpty {
        try await markSwept(incarnation)
        continue
      }
      deleted = try await deleteRecords(entries, of: incarnation)
      break
    }
    return SweepResult(deleted: deleted, incarnationsLeft: try await departedCount())
  }

  private static let departedPerSweep = 16

  /// Only once nothing that it sent can run any more: a registration that is carried out late would leave a record that
  /// nobody looks for again.
  private func longestDeparted() async throws(DirectoryError) -> Incarnation? {
    guard let clock = try await registryClock() else { return nil }
    let patience = max(settings.lease, client.configuration.commandTimeout)
    let latest = clock - Int64(patience / .microseconds(1))
    let value = try await send(
      "list the departed",
      ["ZRANGEBYSCORE", RedisArgument(keys.departed), "-inf", RedisArgument(latest), "LIMIT", 0, 1])
    guard case .array(let items) = value, let first = items.first else { return nil }
    guard case .bulk(let text) = first, let number = UInt64(String(decoding: text, as: UTF8.self)) else {
      throw DirectoryError(
        code: .incompatible, message: "\(keys.departed): a member that is no incarnation; what else writes to this key?"
      )
    }
    return Incarnation(rawValue: number)
  }

  private func departedCount() async throws(DirectoryError) -> Int {
    guard case .integer(let count) = try await send("count the departed", ["ZCARD", RedisArgument(keys.departed)])
    else { return 0 }
    return Int(count)
  }

  func indexEntries(of incarnation: Incarnation, limit: Int) async throws(DirectoryError) -> [String] {
    let value = try await send(
      "read the index of a departed pod",
      ["SRANDMEMBER", RedisArgument(keys.index(of: incarnation)), RedisArgument(limit)])
    guard case .array(let items) = value else { return [] }
    return items.compactMap { item in
      guard case .bulk(let bytes) = item else { return nil }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  func deleteRecords(_ entries: [String], of incarnation: Incarnation) async throws(DirectoryError) -> Int {
    var deleted = 0
    var rest = entries[...]
    while !rest.isEmpty {
      let batch = Array(rest.prefix(Self.batch))
      rest = rest.dropFirst(Self.batch)
      let leftovers = try await leftovers(batch.compactMap(IndexEntry.decode), of: incarnation)
      deleted += try await delete(leftovers)
      let strikes =
        [RedisArgument("SREM"), RedisArgument(keys.index(of: incarnation))] + batch.map { RedisArgument($0) }
      _ = try await send("strike out swept sessions", RedisCommand(strikes))
    }
    return deleted
  }

  private struct Leftover {
    let record: SessionRecord
    /// Of a session that was about to move to the dead pod.
    let before: SessionRecord?
  }

  /// What is stored for these sessions, as far as it still belongs to the incarnation.
  private func leftovers(_ sessions: [SessionKey], of incarnation: Incarnation)
    async throws(DirectoryError) -> [Leftover]
  {
    let results = await client.pipeline(
      sessions.map { ["HGET", RedisArgument(keys.sessions(of: $0.user)), RedisArgument($0.session.text)] })
    var leftovers: [Leftover] = []
    for (key, result) in zip(sessions, results) {
      let value: RedisValue
      do { value = try result.get() } catch { throw failed("read records to sweep", error) }
      guard case .bulk(let bytes) = value else { continue }
      guard let record = readable(bytes, key), record.incarnation == incarnation else { continue }
      let before = SessionRecord(key: key, before: String(decoding: bytes, as: UTF8.self))
      leftovers.append(Leftover(record: record, before: before))
    }
    guard leftovers.contains(where: { $0.before != nil }) else { return leftovers }
    let view = try await window()?.current
    return leftovers.map { leftover in
      let isHeld = leftover.before.map { view?.member($0.incarnation) != nil } ?? false
      return Leftover(record: leftover.record, before: isHeld ? leftover.before : nil)
    }
  }

  /// Nil when this version can't read it: then it is not this version's to delete, and must not hold up the others.
  private func readable(_ bytes: [UInt8], _ key: SessionKey) -> SessionRecord? {
    do {
      return try SessionRecord(
        key: key, encoded: String(decoding: bytes, as: UTF8.self), storedAt: keys.sessions(of: key.user))
    } catch {
      logger.warning("A record that can't be read is left where it is", metadata: ["error": "\(error)"])
      return nil
    }
  }

  /// A session that was about to move is where it was: its record is put back.
  private func delete(_ leftovers: [Leftover]) async throws(DirectoryError) -> Int {
    var deleted = 0
    for leftover in leftovers {
      guard let before = leftover.before else { continue }
      deleted += try await unregister(leftover.record, puttingBack: before) ? 1 : 0
    }
    return deleted + (try await delete(leftovers.filter { $0.before == nil }.map(\.record)))
  }

  /// Those that still are what they were.
  func delete(_ records: [SessionRecord]) async throws(DirectoryError) -> Int {
    let results = await client.evaluate(
      Scripts.unregister,
      calls: records.map { record in
        RedisScriptCall(
          keys: [keys.sessions(of: record.key.user)],
          arguments: [RedisArgument(record.key.session.text), RedisArgument(record.encoded)])
      })
    var deleted = 0
    for result in results {
      do { deleted += try result.get() == .integer(1) ? 1 : 0 } catch { throw failed("sweep records", error) }
    }
    return deleted
  }

  /// Remembered for a day, so that the incarnation can't resume.
  private func markSwept(_ incarnation: Incarnation) async throws(DirectoryError) {
    let name = RedisArgument(incarnation.rawValue)
    guard let now = try await registryClock() else { return }
    _ = try await send(
      "note what is swept", ["ZADD", RedisArgument(keys.swept), RedisArgument(now + 86_400_000_000), name])
    _ = try await send("note what is swept", ["ZREM", RedisArgument(keys.departed), name])
    _ = try await send(
      "note what is swept", ["ZREMRANGEBYSCORE", RedisArgument(keys.swept), "-inf", RedisArgument(now)])
  }

  /// Nil when nobody has joined since the registry was emptied.
  private func registryClock() async throws(DirectoryError) -> Int64? {
    guard case .bulk(let text) = try await send("read the clock", ["HGET", RedisArgument(keys.meta), "clock"]) else {
      return nil
    }
    guard let clock = Int64(String(decoding: text, as: UTF8.self)) else {
      throw DirectoryError(
        code: .incompatible, message: "\(keys.meta), field clock: no number; what else writes to this key?")
    }
    return clock
  }

  private func send(_ what: String, _ command: RedisCommand) async throws(DirectoryError) -> RedisValue {
    do { return try await client.send(command) } catch { throw failed(what, error) }
  }
}
