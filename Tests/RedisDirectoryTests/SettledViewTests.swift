import Placement
import RedisDirectory
import TestServers
import Testing

@Suite struct SettledViewTests {
  @Test func aViewSettlesWhenAllHaveAcknowledgedItWhileCurrent() async throws {
    try await withRegistry { registry in
      let first = try await registry.directory.join(pod(1))
      let second = try await registry.directory.join(pod(2))
      let stamp = second.window.current.stamp
      #expect(try await registry.directory.acknowledge(first.incarnation, view: stamp))
      #expect(try await registry.directory.window()?.settled.stamp == ViewStamp.none)
      #expect(try await registry.directory.acknowledge(second.incarnation, view: stamp))
      let window = try #require(try await registry.directory.window())
      #expect(window.settled == window.current)
    }
  }

  @Test func anAcknowledgementOfAnEarlierViewIsInVain() async throws {
    try await withRegistry { registry in
      let first = try await registry.directory.join(pod(1))
      let second = try await registry.directory.join(pod(2))
      #expect(try await registry.directory.acknowledge(second.incarnation, view: second.window.current.stamp))
      #expect(try await !registry.directory.acknowledge(first.incarnation, view: first.window.current.stamp))
      let forged = ViewStamp(version: 2, digest: 1)
      #expect(try await !registry.directory.acknowledge(first.incarnation, view: forged))
      #expect(try await registry.directory.window()?.settled.stamp == ViewStamp.none)
    }
  }

  @Test func theSettledViewStaysWhileANewerOneIsNotYetSettled() async throws {
    try await withRegistry { registry in
      let first = try await registry.directory.join(pod(1))
      #expect(try await registry.directory.acknowledge(first.incarnation, view: first.window.current.stamp))
      let second = try await registry.directory.join(pod(2))
      #expect(second.window.settled == first.window.current)
      #expect(second.window.current.stamp.version == 2)
    }
  }

  @Test func nothingSettlesWithoutAMemberInGrace() async throws {
    try await withRegistry(TestRegistry.settings) { registry in
      let paused = try await registry.directory.join(pod(1)).incarnation
      let live = try await registry.directory.join(pod(2)).incarnation
      let inGrace = try await registry.renew(live, until: "the lease ends") { $0.current.state(paused) == .grace }
      #expect(try await registry.directory.acknowledge(live, view: inGrace.current.stamp))
      #expect(try await registry.directory.window()?.settled.stamp == ViewStamp.none)
      let gone = try await registry.renew(live, until: "the grace ends") { $0.current.state(paused) == nil }
      #expect(gone.settled.stamp != gone.current.stamp)
      #expect(try await registry.directory.acknowledge(live, view: gone.current.stamp))
      #expect(try await registry.directory.window()?.settled == gone.current)
    }
  }
}
