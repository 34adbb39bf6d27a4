import Placement
import RedisDirectory
import Sessions
import TestServers
import Testing

/// Redis Cluster refuses a script that touches two slots; so the main flow on a cluster of one node shows that none
/// does.
@Suite struct RedisClusterTests {
  @Test(.timeLimit(.minutes(1))) func noScriptTouchesTwoSlots() async throws {
    try await withRegistry(isCluster: true) { registry in
      let directory = registry.directory
      let first = try await directory.join(pod(1)).incarnation
      let second = try await directory.join(pod(2)).incarnation
      let load = MemberLoad(sessions: 0, strays: 0)
      #expect(try await directory.renew(first, load: load) != .lapsed)
      // Braces in a user id must not split a user's keys.
      for user in ["ann", "{", "}", "a}b{c}", "{}"] {
        let session = try key(user, "phone")
        let old = try await directory.register(session, podID: "pod-1", incarnation: first, lastEpoch: .none).record
        let new = try await directory.register(session, podID: "pod-2", incarnation: second, lastEpoch: .none).record
        #expect(try await directory.takeTakeovers(first).map(\.key) == [session])
        #expect(try await !directory.unregister(old))
        #expect(try await directory.restore([new]) == [])
        #expect(try await directory.records(of: session.user) == [new])
      }
      let view = try #require(try await directory.window()).current
      let current = view.stamp
      #expect(try await directory.acknowledge(first, view: current))
      #expect(try await directory.acknowledge(second, view: current))
      #expect(try await directory.window()?.settled.stamp == current)
      try await directory.drain(second)
      #expect(try await directory.resume(second, pod(2), floor: view).window.current.state(second) == .active)
      #expect(try await directory.memberStatus().count == 2)
      try await directory.leave(second)
      try await eventually("all is swept") {
        _ = try await directory.renew(first, load: load)
        return try await directory.sweep(limit: 100).incarnationsLeft == 0
      }
      #expect(try await directory.records(of: UserID("ann")) == [])
    }
  }
}
