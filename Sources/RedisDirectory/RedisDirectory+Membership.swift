public import Placement
internal import RedisClient

// What a pod calls about itself.

extension RedisDirectory {
  /// A new incarnation, active in the view that the answer carries. Takes up to the 100 ms in which changes are
  /// gathered, and then a second call.
  /// - Throws: `.incompatible` when the cluster runs with other settings.
  public func join(_ description: MemberDescription) async throws(DirectoryError) -> Membership {
    try settings.check()
    try description.check()
    let reply = try await callMembership(
      Scripts.join, [RedisArgument(settings.encoded), RedisArgument(description.encoded)], publishes: false)
    return try await membership(from: reply, expecting: "joined")
  }

  /// Extends the lease, reports counts for `ring inspect`, removes members whose lease ended, takes the takeovers.
  /// `.lapsed` is not an error: the registry lost it or wrote it off, and the pod decides to resume.
  /// - Throws: when the lease was not renewed. Takeovers that can't be read now are given by a later renewal.
  public func renew(_ incarnation: Incarnation, load: MemberLoad) async throws(DirectoryError) -> Renewal {
    async let taken = takeoversOrNone(incarnation)
    var reply = try await callMembership(
      Scripts.renew,
      [
        RedisArgument(incarnation.rawValue), RedisArgument(load.sessions), RedisArgument(load.strays),
        RedisArgument(load.limit),
      ])
    let takeovers = await taken
    guard reply.status == "renewed" else {
      guard reply.status == "lapsed" else { throw reply.rest.unexpected("status \"\(reply.status.prefix(40))\"") }
      return .lapsed
    }
    let lease = try reply.rest.microseconds()
    let current = try stamp(from: &reply.rest)
    return .renewed(lease: lease, current: current, takeovers: takeovers, order: try reply.rest.number())
  }

  /// The same incarnation back, after its lease ended or the registry lost its data; active, also if it was draining
  /// before. `floor` is the newest view that the pod knows: the new version is never below it, and its members that the
  /// registry has forgotten count as in grace.
  /// - Throws: `.departed` when it left or its grace is over: close all its streams and join anew.
  public func resume(_ incarnation: Incarnation, _ description: MemberDescription, floor: View)
    async throws(DirectoryError) -> Membership
  {
    try settings.check()
    try description.check()
    let reply = try await callMembership(
      Scripts.resume,
      [
        RedisArgument(settings.encoded), RedisArgument(description.encoded), RedisArgument(incarnation.rawValue),
        RedisArgument(floor.stamp.version), RedisArgument(floor.stamp.digestText), RedisArgument(floor.encodedMembers),
      ], publishes: false)
    return try await membership(from: reply, expecting: "resumed")
  }

  /// "All my sessions are where `view` wants them, or known to their owner": when every member has said so while
  /// the view is current, it becomes the settled view. In vain (returns false) when the view is no longer current, or
  /// the incarnation is no member.
  public func acknowledge(_ incarnation: Incarnation, view: ViewStamp) async throws(DirectoryError) -> Bool {
    let reply = try await callMembership(
      Scripts.acknowledge,
      [RedisArgument(incarnation.rawValue), RedisArgument(view.version), RedisArgument(view.digestText)])
    return reply.status == "acknowledged"
  }

  /// Keeps the lease and the sessions, and owns nothing from the next view on. Nothing happens without a lease: who
  /// resumes is active, and drains again.
  public func drain(_ incarnation: Incarnation) async throws(DirectoryError) {
    _ = try await callMembership(Scripts.drain, [RedisArgument(incarnation.rawValue)])
  }

  /// Leaves in good order: no grace. Its records may still exist; the sweeper takes what it left.
  public func leave(_ incarnation: Incarnation) async throws(DirectoryError) {
    _ = try await callMembership(Scripts.leave, [RedisArgument(incarnation.rawValue)])
  }

  /// The member is proven gone: its address refuses connections, or another process answers there. Its grace ends at
  /// once, and what it had reported is void. Nothing happens when it is no member.
  public func gone(_ incarnation: Incarnation) async throws(DirectoryError) {
    _ = try await callMembership(Scripts.gone, [RedisArgument(incarnation.rawValue)])
  }

  private func membership(from first: MembershipReply, expecting status: String)
    async throws(DirectoryError) -> Membership
  {
    var reply = first
    switch reply.status {
    case status: break
    case "departed":
      throw DirectoryError(
        code: .departed,
        message: """
          the registry of cluster \(cluster) at \(client.configuration.address) has written this incarnation off; close \
          all its streams, then join as a new one
          """)
    default: throw reply.rest.unexpected("status \"\(reply.status.prefix(40))\"")
    }
    let answered = ContinuousClock.now
    let incarnation = Incarnation(rawValue: try reply.rest.number())
    let lease = try reply.rest.microseconds()
    let admitsAfter = try reply.rest.microseconds()
    var window = try window(from: &reply.rest)
    if reply.wait > .zero { window = try await windowAfter(window?.current.stamp ?? .none, wait: reply.wait) }
    guard let window else { throw reply.rest.unexpected("there is no view after a member joined") }
    let left = max(.zero, admitsAfter - answered.duration(to: .now))
    return Membership(incarnation: incarnation, lease: lease, admitsAfter: left, window: window)
  }

  /// The first window with a current view other than `old`. Whoever's call comes after the gathering time makes it.
  private func windowAfter(_ old: ViewStamp, wait: Duration) async throws(DirectoryError) -> Window? {
    var wait = wait
    // Twice is enough, unless the server's clock is set back meanwhile.
    for _ in 0..<10 {
      try? await Task.sleep(for: wait)
      var reply = try await callMembership(Scripts.window, [], publishes: false)
      let window = try window(from: &reply)
      if reply.wait == .zero || window.map({ $0.current.stamp != old }) == true { return window }
      wait = reply.wait
    }
    throw DirectoryError(
      code: .unavailable,
      message: """
        the registry of cluster \(cluster) at \(client.configuration.address) has published no view for a second; is \
        the clock of the Redis server being set back? Try again
        """)
  }
}
