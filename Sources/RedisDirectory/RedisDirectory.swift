public import Logging
public import RedisClient
internal import Synchronization

/// The registry: who is a member, and where each session is.
///
/// Redis decides and remembers; this type asks. All rules are in the Lua scripts (`Scripts/`, each opens with its
/// reasons), the keys are in `Keys.swift`, and nothing is cached here that a decision rests on, so any number of
/// programs may use one registry, and any of them may die at any point.
///
/// Every call is one round trip (a Lua script or a pipeline of them) unless it says otherwise, and bounded by the
/// client's time-out.
public final class RedisDirectory: Sendable {
  public let cluster: ClusterName
  public let settings: DirectorySettings
  let client: RedisClient
  let keys: Keys
  let logger: Logger
  let started = ContinuousClock.now
  let state = Mutex(State())

  struct State {
    var server = ServerWatch()
    var serverClock = ServerClock()
    var isPublishingScheduled = false
    var clusterSettings: DirectorySettings?
    var views = ViewCache()
  }

  public init(client: RedisClient, cluster: ClusterName, settings: DirectorySettings = .init(), logger: Logger) {
    self.client = client
    self.cluster = cluster
    self.settings = settings
    self.logger = logger
    keys = Keys(cluster: cluster)
  }

  /// How often the registry was found to be another Redis process than before, which may have lost data. For metrics.
  public var serverChanges: Int { state.withLock { $0.server.changes } }

  /// The settings that the cluster's pods agreed on, once a window was read; for programs that are no pods.
  public var clusterSettings: DirectorySettings? { state.withLock { $0.clusterSettings } }
}

// MARK: - Calling scripts

extension RedisDirectory {
  /// Calls a membership script, and sees to it that a change that is pending afterwards gets published.
  func callMembership(_ script: RedisScript, _ arguments: [RedisArgument], publishes: Bool = true)
    async throws(DirectoryError) -> MembershipReply
  {
    let value: RedisValue
    do {
      value = try await client.evaluate(
        script, keys: keys.allMembership, arguments: [RedisArgument(keys.views)] + arguments)
    } catch {
      throw failed(script.name, error)
    }
    var reply = try MembershipReply(value, script: script.name, key: keys.meta)
    serverSeen(reply.runID)
    if publishes, reply.wait > .zero { schedulePublishing(after: reply.wait) }
    if reply.status == "incompatible" { throw try incompatible(&reply.rest) }
    return reply
  }

  /// Calls a script of one key, with a command on another slot right before or after it.
  func evaluate(
    _ script: RedisScript, key: String, arguments: [RedisArgument], before: RedisCommand? = nil,
    after: RedisCommand? = nil
  ) async throws(DirectoryError) -> RedisValue {
    let call = RedisScriptCall(keys: [key], arguments: arguments, before: before, after: after)
    return try await client.evaluate(script, calls: [call])[0].mapError { failed(script.name, $0) }.get()
  }

  /// What went wrong with a call, for people: which cluster, which address, what to do.
  func failed(_ what: String, _ error: RedisError) -> DirectoryError {
    let isForeign = error.code == .server && error.message.contains("WRONGTYPE")
    return DirectoryError(
      code: isForeign ? .incompatible : .unavailable,
      message: """
        the registry of cluster \(cluster) at \(client.configuration.address) failed to \(what): \(error.message)
        """,
      cause: error)
  }

  private func serverSeen(_ runID: String) {
    guard case .changed(let earlier) = state.withLock({ $0.server.seen(runID) }) else { return }
    logger.warning(
      "The registry is another Redis process than before; what it lost is being registered again",
      metadata: [
        "pushring.cluster": "\(cluster)", "redis.address": "\(client.configuration.address)",
        "redis.run_id.before": "\(earlier)", "redis.run_id.now": "\(runID)",
      ])
  }

  /// A change that came within the gathering time of the last view is published by whoever made it. Not needed for
  /// correctness (each renewal publishes too), only for haste; so a failure is left to the next call.
  private func schedulePublishing(after wait: Duration) {
    let isFirst = state.withLock { state in
      defer { state.isPublishingScheduled = true }
      return !state.isPublishingScheduled
    }
    guard isFirst else { return }
    // Unstructured, but it ends by itself after the gathering time and one call.
    Task {
      try? await Task.sleep(for: wait)
      state.withLock { $0.isPublishingScheduled = false }
      do {
        _ = try await callMembership(Scripts.window, [])
      } catch {
        logger.debug("Pending changes were not published; the next renewal does", metadata: ["error": "\(error)"])
      }
    }
  }
}
