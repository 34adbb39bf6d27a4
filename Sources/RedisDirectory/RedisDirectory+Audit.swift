public import Placement
internal import RedisClient
public import Sessions

// What an audit reads, a bounded part at a time, and what mends what it found. Nothing here is called by pods.

/// What one step through the registry's keys found.
public struct StoredPart: Sendable {
  public var records: [SessionRecord] = []
  public var unreadable: [UnreadableRecord] = []
  /// Incarnations that have an index.
  public var indexed: [Incarnation] = []

  public init() {}
}

/// What is stored where a record should be, and is none that this version can read.
public struct UnreadableRecord: Hashable, Sendable {
  public let user: String
  /// Empty: the whole key is no hash.
  public let session: String
  public let reason: String

  public init(user: String, session: String, reason: String) {
    self.user = user
    self.session = session
    self.reason = reason
  }
}

extension RedisDirectory {
  /// Some of the records and indexes. Begin with cursor 0, and go on with the one given until it is 0 again. What is there
  /// all the time comes at least once, and may come twice. Two round trips or a few, however much is stored.
  public func storedPart(cursor: UInt64) async throws(DirectoryError) -> (part: StoredPart, next: UInt64) {
    let value: RedisValue
    do {
      value = try await client.send([
        "SCAN", RedisArgument(cursor), "MATCH", RedisArgument(keys.auditPattern), "COUNT", "1000",
      ])
    } catch {
      throw failed("list its keys", error)
    }
    var reply = try Reply(value, script: "SCAN", key: keys.auditPattern)
    let next = try reply.number()
    let found = try reply.texts()
    var part = StoredPart()
    part.indexed = found.compactMap(keys.incarnation(ofIndex:))
    var users = found.compactMap { keys.user(ofSessions: $0) }[...]
    while !users.isEmpty {
      try await read(Array(users.prefix(Self.batch)), into: &part)
      users = users.dropFirst(Self.batch)
    }
    return (part, next)
  }

  /// Incarnations that left or were written off, and whose records the sweeper is still to take.
  public func departed() async throws(DirectoryError) -> Set<Incarnation> {
    let value: RedisValue
    do {
      value = try await client.send(["ZRANGE", RedisArgument(keys.departed), 0, -1])
    } catch {
      throw failed("list the departed", error)
    }
    var reply = try Reply(value, script: "ZRANGE", key: keys.departed)
    var departed: Set<Incarnation> = []
    while !reply.isAtEnd { departed.insert(Incarnation(rawValue: try reply.number())) }
    return departed
  }

  private func read(_ users: [String], into part: inout StoredPart) async throws(DirectoryError) {
    let results = await client.pipeline(
      users.map { ["HGETALL", RedisArgument(keys.sessions(ofUserText: $0))] })
    for (user, result) in zip(users, results) {
      let key = keys.sessions(ofUserText: user)
      switch result {
      case .success(let value):
        var reply = try Reply(value, script: "HGETALL", key: key)
        while !reply.isAtEnd {
          guard let name = try? reply.text(), let encoded = try? reply.text() else {
            part.unreadable.append(UnreadableRecord(user: user, session: "", reason: "bytes that are not UTF-8"))
            break
          }
          note(user, name, encoded, storedAt: key, in: &part)
        }
      case .failure(let error) where error.code == .server:
        part.unreadable.append(UnreadableRecord(user: user, session: "", reason: error.message))
      case .failure(let error):
        throw failed("read records", error)
      }
    }
  }

  private func note(_ user: String, _ name: String, _ encoded: String, storedAt key: String, in part: inout StoredPart)
  {
    do {
      let session = SessionKey(user: try UserID(user), session: try SessionID(name))
      part.records.append(try SessionRecord(key: session, encoded: encoded, storedAt: key))
    } catch {
      part.unreadable.append(UnreadableRecord(user: user, session: name, reason: "\(error)"))
    }
  }
}

// MARK: - Mending

extension RedisDirectory {
  /// Deletes those that are still stored as they are here.
  /// - Returns: how many.
  public func deleteUnchanged(_ records: [SessionRecord]) async throws(DirectoryError) -> Int {
    var deleted = 0
    var rest = records[...]
    while !rest.isEmpty {
      deleted += try await delete(Array(rest.prefix(Self.batch)))
      rest = rest.dropFirst(Self.batch)
    }
    return deleted
  }

  /// Puts `right` in the place of `wrong`, if that is what is stored; false when it is not.
  public func replace(_ wrong: SessionRecord, with right: SessionRecord) async throws(DirectoryError) -> Bool {
    let value = try await evaluate(
      Scripts.unregister, key: keys.sessions(of: wrong.key.user),
      arguments: [RedisArgument(wrong.key.session.text), RedisArgument(wrong.encoded), RedisArgument(right.encoded)],
      before: indexing(["SADD"], right.key, of: right.incarnation))
    guard value == .integer(1) else { return false }
    if wrong.incarnation != right.incarnation { try await strikeOut(wrong.key, of: wrong.incarnation) }
    return true
  }

  /// Takes a session out of an incarnation's index, unless its record names that incarnation.
  public func strikeOut(_ key: SessionKey, of incarnation: Incarnation) async throws(DirectoryError) {
    do {
      let results = await client.pipeline([
        indexing(["SREM"], key, of: incarnation),
        ["HGET", RedisArgument(keys.sessions(of: key.user)), RedisArgument(key.session.text)],
      ])
      _ = try results[0].get()
      // Registered in this very moment: its index was written before, and is gone now.
      guard case .bulk(let bytes) = try results[1].get(),
        let record = try? SessionRecord(
          key: key, encoded: String(decoding: bytes, as: UTF8.self), storedAt: keys.sessions(of: key.user)),
        record.incarnation == incarnation
      else { return }
      _ = try await client.send(indexing(["SADD"], key, of: incarnation))
    } catch {
      throw failed("mend the index of a pod", error)
    }
  }

  /// Deletes what an incarnation that is no member has left: its index, and each record that still names it.
  /// - Returns: how many records.
  public func sweepAway(_ incarnation: Incarnation) async throws(DirectoryError) -> Int {
    var deleted = 0
    while case let entries = try await indexEntries(of: incarnation, limit: Self.batch), !entries.isEmpty {
      deleted += try await deleteRecords(entries, of: incarnation)
    }
    return deleted
  }
}
