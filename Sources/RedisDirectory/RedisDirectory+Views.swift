public import Placement
internal import HashRing
internal import RedisClient
internal import Synchronization

// What everybody may ask about the views.

extension RedisDirectory {
  /// Settled and current view as they are now; nil when nobody ever joined the cluster. While no view has settled yet,
  /// the settled one is empty and its stamp `.none`.
  public func window() async throws(DirectoryError) -> Window? {
    var reply = try await callMembership(Scripts.window, [])
    return try window(from: &reply)
  }

  /// The members with lease left and load, for `ring inspect`; by incarnation.
  public func memberStatus() async throws(DirectoryError) -> [MemberStatus] {
    var reply = try await callMembership(Scripts.status, [])
    guard reply.status == "status" else {
      throw reply.rest.unexpected("status \"\(reply.status.prefix(40))\"")
    }
    var members: [MemberStatus] = []
    while !reply.rest.isAtEnd { members.append(try memberStatus(from: &reply.rest)) }
    return members
  }

  /// The stamps of the settled and the current view, at the cost of one small read: is a window still the newest?
  func stamps() async throws(DirectoryError) -> (settled: ViewStamp, current: ViewStamp) {
    let value: RedisValue
    do {
      value = try await client.send(
        ["HMGET", RedisArgument(keys.meta), "settled_version", "settled_digest", "version", "digest"])
    } catch {
      throw failed("read the stamps of the views", error)
    }
    guard case .array(let fields) = value, fields.count == 4 else {
      throw DirectoryError(code: .incompatible, message: "\(keys.meta): four fields were expected; is this Redis?")
    }
    return (try stamp(fields[0], fields[1]), try stamp(fields[2], fields[3]))
  }

  /// The reply of the script `window`.
  func window(from reply: inout MembershipReply) throws(DirectoryError) -> Window? {
    switch reply.status {
    case "none": return nil
    case "window": return try window(from: &reply.rest)
    default: throw reply.rest.unexpected("status \"\(reply.status.prefix(40))\"")
    }
  }

  /// Settled view, current view, settings. Nil while no view was published.
  func window(from reply: inout Reply) throws(DirectoryError) -> Window? {
    let settled = try reply.text()
    let current = try reply.text()
    if let known = DirectorySettings(encoded: try reply.text()) { state.withLock { $0.clusterSettings = known } }
    guard !current.isEmpty else { return nil }
    return Window(settled: try view(settled, field: "settled"), current: try view(current, field: "current"))
  }

  func stamp(from reply: inout Reply) throws(DirectoryError) -> ViewStamp {
    let version = try reply.number()
    let digest = try reply.text()
    guard let number = UInt64(digest, radix: 16) else {
      throw reply.unexpected("\"\(digest.prefix(40))\" where a digest was expected")
    }
    return ViewStamp(version: version, digest: number)
  }

  func incompatible(_ reply: inout Reply) throws(DirectoryError) -> DirectoryError {
    let format = try reply.text()
    let stored = try reply.text()
    let place = "cluster \(cluster) at \(client.configuration.address)"
    guard format == "1" else {
      return DirectoryError(
        code: .incompatible,
        message: """
          \(place) was written in format "\(format.prefix(40))", which this version does not know: run the version that \
          wrote it, or choose another cluster name
          """)
    }
    return DirectoryError(
      code: .incompatible,
      message: """
        \(place) runs with other settings than this pod: \(settings.differences(fromStored: stored)). Start it with \
        the cluster's, or stop all pods first
        """)
  }

  private func view(_ text: String, field: String) throws(DirectoryError) -> View {
    let (known, newest) = state.withLock { ($0.views.view(for: text), $0.views.newest) }
    if let known { return known }
    do {
      let view =
        text.isEmpty
        ? try View.checked(
          stamp: .none, members: [], RingAgreement(tokensPerWeight: 1), newest: .init(rawValue: 0), reusing: nil)
        : try View(encoded: text, reusing: newest)
      state.withLock { $0.views.insert(view, for: text) }
      return view
    } catch {
      throw notAView(field: field, error)
    }
  }

  private func notAView(field: String, _ error: ViewCodingError) -> DirectoryError {
    DirectoryError(
      code: .incompatible,
      message: """
        \(keys.meta), field \(field), at \(client.configuration.address) is no view: \(error.message); another version \
        of PushRing, or something else, writes to this key
        """)
  }

  private func memberStatus(from reply: inout Reply) throws(DirectoryError) -> MemberStatus {
    let text = try reply.text()
    let left = try reply.microseconds()
    let load = try reply.text().split(separator: " ").compactMap { Int($0) }
    var line = TextFields(Substring(text))
    do {
      guard line.remaining == 8 else { throw ViewCodingError(message: "\"\(text.prefix(200))\" is no member") }
      return MemberStatus(
        member: try Member(line: &line), leaseLeft: left,
        load: MemberLoad(
          sessions: load.first ?? 0, strays: load.dropFirst().first ?? 0, limit: load.dropFirst(2).first ?? 0))
    } catch let error as ViewCodingError {
      throw reply.unexpected(error.message)
    } catch {
      throw reply.unexpected("\(error)")
    }
  }

  private func stamp(_ version: RedisValue, _ digest: RedisValue) throws(DirectoryError) -> ViewStamp {
    switch (version, digest) {
    case (.null, .null): return .none
    case (.bulk(let version), .bulk(let digest)):
      if let version = UInt64(String(decoding: version, as: UTF8.self)),
        let digest = UInt64(String(decoding: digest, as: UTF8.self), radix: 16)
      {
        return ViewStamp(version: version, digest: digest)
      }
    default: break
    }
    throw DirectoryError(
      code: .incompatible, message: "\(keys.meta): version and digest are not numbers; what else writes to this key?")
  }
}
