internal import Logging
public import Placement
internal import RedisClient
internal import Sessions

// A session id that connects again takes the session over from the pod that held it. That pod is told twice over: by a
// hint on a channel of its own, at once, and by each renewal, in case the hint was lost.

extension RedisDirectory {
  /// Takeovers reported to `incarnation` since the last call. Each is given once; should the deletion of what was read
  /// fail, again by the next call, which does no harm, because a takeover only ends streams of smaller epochs. One
  /// round trip, a second one when there are any.
  public func takeTakeovers(_ incarnation: Incarnation) async throws(DirectoryError) -> [Takeover] {
    let key = RedisArgument(keys.takeovers(of: incarnation))
    var takeovers: [Takeover] = []
    var taken = 0
    repeat {
      let entries = try await entries(of: key)
      taken = entries.count
      takeovers += entries.compactMap(\.takeover)
      if taken > 0 { await delete(entries.map(\.id), of: key) }
    } while taken == Self.takeoverBatch && takeovers.count < Self.takeoversKept
    return takeovers
  }

  static let takeoverBatch = 1_000
  /// More wait only for a pod that doesn't renew.
  static let takeoversKept = 65_536

  func takeoversOrNone(_ incarnation: Incarnation) async -> [Takeover] {
    do {
      return try await takeTakeovers(incarnation)
    } catch {
      logger.debug("Takeovers were not read; the next renewal does", metadata: ["error": "\(error)"])
      return []
    }
  }

  func reportTakeover(of replaced: SessionRecord, by record: SessionRecord) async {
    await reportTakeovers([(replaced, record)])
  }

  /// Tells the pods of the records that were replaced, in one round trip. Tried twice; a takeover that can't be reported is
  /// logged, and the old stream lives until its client or keep-alive ends it.
  func reportTakeovers(_ takeovers: [(replaced: SessionRecord, by: SessionRecord)]) async {
    var calls = takeovers.map { takeoverCall(of: $0.replaced, by: $0.by) }
    for isLast in [false, true] where !calls.isEmpty {
      let results = await client.evaluate(Scripts.takeover, calls: calls)
      var failed: [RedisScriptCall] = []
      for (call, result) in zip(calls, results) {
        guard case .failure(let error) = result else { continue }
        failed.append(call)
        guard isLast else { continue }
        logger.warning(
          "A takeover could not be reported; the old stream stays until its client or keep-alive ends it",
          metadata: ["redis.key": "\(call.keys.first ?? "")", "error": "\(error)"])
      }
      calls = failed
    }
  }

  private func takeoverCall(of replaced: SessionRecord, by record: SessionRecord) -> RedisScriptCall {
    let lifetime = settings.lease + settings.grace
    return RedisScriptCall(
      keys: [keys.takeovers(of: replaced.incarnation)],
      arguments: [
        RedisArgument(keys.hint(for: replaced.incarnation)), RedisArgument(Self.takeoversKept),
        RedisArgument(lifetime.microseconds / 1_000 + 1_000), RedisArgument(record.key.user.text),
        RedisArgument(record.key.session.text), RedisArgument(record.epoch.rawValue), RedisArgument(record.podID),
      ])
  }

  private struct Entry {
    let id: [UInt8]
    /// Nil: not understood; deleted all the same.
    let takeover: Takeover?
  }

  private func entries(of key: RedisArgument) async throws(DirectoryError) -> [Entry] {
    let value: RedisValue
    do {
      value = try await client.send(["XRANGE", key, "-", "+", "COUNT", RedisArgument(Self.takeoverBatch)])
    } catch {
      throw failed("read takeovers", error)
    }
    guard case .array(let entries) = value else { return [] }
    return entries.compactMap { entry in
      guard case .array(let pair) = entry, pair.count == 2, case .bulk(let id) = pair[0] else { return nil }
      return Entry(id: id, takeover: Takeover(fields: pair[1]))
    }
  }

  private func delete(_ ids: [[UInt8]], of key: RedisArgument) async {
    do {
      _ = try await client.send(RedisCommand(["XDEL", key] + ids.map { RedisArgument($0) }))
    } catch {
      logger.debug("Takeovers were taken but not deleted; they are given again", metadata: ["error": "\(error)"])
    }
  }
}

extension Takeover {
  /// Field names and values of a stream entry.
  init?(fields: RedisValue) {
    guard case .array(let items) = fields, items.count.isMultiple(of: 2) else { return nil }
    var values: [String: String] = [:]
    for index in stride(from: 0, to: items.count, by: 2) {
      guard case .bulk(let name) = items[index], case .bulk(let value) = items[index + 1] else { return nil }
      values[String(decoding: name, as: UTF8.self)] = String(decoding: value, as: UTF8.self)
    }
    guard let user = values["user"].flatMap({ try? UserID($0) }), let pod = values["pod"],
      let session = values["session"].flatMap({ try? SessionID($0) }),
      let epoch = values["epoch"].flatMap({ UInt64($0) })
    else { return nil }
    self.init(key: SessionKey(user: user, session: session), newEpoch: Epoch(rawValue: epoch), newPodID: pod)
  }
}
