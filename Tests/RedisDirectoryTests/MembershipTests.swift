import HashRing
import Placement
import RedisDirectory
import TestServers
import Testing

@Suite struct MembershipTests {
  @Test func aJoinerFindsItselfInTheViewThatItGets() async throws {
    try await withRegistry { registry in
      #expect(try await registry.directory.window() == nil)
      let first = try await registry.directory.join(pod(1, zone: "a"))
      let second = try await registry.directory.join(pod(2, weight: 3))
      #expect(first.lease == TestRegistry.patientSettings.lease)
      #expect(second.incarnation > first.incarnation)
      let members = second.window.current.members
      #expect(members.map(\.description) == [pod(1, zone: "a"), pod(2, weight: 3)])
      #expect(members.map(\.state) == [.active, .active])
      #expect(members.map(\.since) == [1, 2])
      #expect(second.window.settled.stamp == .none)
      #expect(try await registry.directory.window() == second.window)
    }
  }

  @Test func changesWithinTheGatheringTimeBecomeOneView() async throws {
    try await withRegistry { registry in
      try await withThrowingTaskGroup(of: Membership.self) { group in
        for number in 1...20 { group.addTask { try await registry.directory.join(pod(number)) } }
        try await group.waitForAll()
      }
      let window = try #require(try await registry.directory.window())
      #expect(window.current.members.count == 20)
      #expect(window.current.stamp.version < 10)
    }
  }

  @Test func versionsCountUpAndEachDigestIsNew() async throws {
    try await withRegistry { registry in
      var stamps: [ViewStamp] = []
      for number in 1...3 { stamps.append(try await registry.directory.join(pod(number)).window.current.stamp) }
      #expect(stamps.map(\.version) == [1, 2, 3])
      #expect(Set(stamps.map(\.digest)).count == 3)
    }
  }

  @Test func twoProcessesWithOnePodIDAreTwoIncarnations() async throws {
    try await withRegistry { registry in
      let first = try await registry.directory.join(pod(1))
      let second = try await registry.directory.join(
        MemberDescription(podID: "pod-1", endpoint: "10.0.0.9:7000", peerEndpoint: "10.0.0.9:7001"))
      #expect(first.incarnation != second.incarnation)
      #expect(second.window.current.members.count == 2)
      let renewal = try await registry.directory.renew(first.incarnation, load: MemberLoad(sessions: 1, strays: 0))
      #expect(renewal != .lapsed)
    }
  }

  @Test func theGraceOfAMemberThatIsProvenGoneEndsAtOnce() async throws {
    try await withRegistry { registry in
      let dead = try await registry.directory.join(pod(1)).incarnation
      let live = try await registry.directory.join(pod(2)).incarnation
      try await registry.directory.gone(dead)
      let window = try await registry.renew(live, until: "the view is made") { $0.current.state(dead) == nil }
      #expect(try await registry.directory.acknowledge(live, view: window.current.stamp))
      #expect(try await registry.directory.window()?.settled == window.current)
      // Again, and for nobody: nothing happens.
      try await registry.directory.gone(dead)
      #expect(try await registry.directory.window()?.current == window.current)
    }
  }

  @Test func aMemberWhoseLeaseEndedIsInGraceThenGone() async throws {
    try await withRegistry(TestRegistry.settings) { registry in
      let dead = try await registry.directory.join(pod(1)).incarnation
      let live = try await registry.directory.join(pod(2)).incarnation
      let inGrace = try await registry.renew(live, until: "the lease ends") { $0.current.state(dead) == .grace }
      #expect(inGrace.current.state(live) == .active)
      #expect(try await registry.directory.renew(dead, load: MemberLoad(sessions: 0, strays: 0)) == .lapsed)
      let gone = try await registry.renew(live, until: "the grace ends") { $0.current.state(dead) == nil }
      #expect(gone.current.standing(of: dead) == .void)
      await #expect { try await registry.directory.resume(dead, pod(1), floor: View.none) } throws: {
        ($0 as? DirectoryError)?.code == .departed
      }
    }
  }

  @Test func aMemberInGraceResumesAsTheSameIncarnationFromANewView() async throws {
    try await withRegistry(TestRegistry.settings) { registry in
      let paused = try await registry.directory.join(pod(1)).incarnation
      let live = try await registry.directory.join(pod(2)).incarnation
      let inGrace = try await registry.renew(live, until: "the lease ends") { $0.current.state(paused) == .grace }
      let resumed = try await registry.directory.resume(paused, pod(1), floor: inGrace.current)
      #expect(resumed.incarnation == paused)
      #expect(resumed.window.current.state(paused) == .active)
      #expect(resumed.window.current.member(paused)?.since == resumed.window.current.stamp.version)
      #expect(try await registry.directory.renew(paused, load: MemberLoad(sessions: 0, strays: 0)) != .lapsed)
    }
  }

  @Test func nobodysLeaseEndsWhileTheRegistryWasSilent() async throws {
    try await withRegistry(TestRegistry.settings) { registry in
      _ = try await registry.directory.join(pod(1))
      _ = try await registry.directory.join(pod(2))
      // Twice the lease: the registry clock counts one renewal interval of it.
      try await registry.server.cli("DEBUG", "SLEEP", "0.6")
      let window = try #require(try await registry.directory.window())
      #expect(window.current.members.map(\.state) == [.active, .active])
    }
  }

  @Test func aClusterOfAnotherFormatIsRefusedAndLeftAlone() async throws {
    try await withRegistry { registry in
      let member = try await registry.directory.join(pod(1)).incarnation
      try await registry.server.cli("HSET", "pushring:{test}:meta", "format", "2")
      let before = try await registry.server.cli("HGETALL", "pushring:{test}:meta")
      for call in [
        { _ = try await registry.directory.window() },
        { _ = try await registry.directory.join(pod(2)) },
        { _ = try await registry.directory.renew(member, load: MemberLoad(sessions: 0, strays: 0)) },
      ] as [() async throws -> Void] {
        await #expect { try await call() } throws: { ($0 as? DirectoryError)?.code == .incompatible }
      }
      #expect(try await registry.server.cli("HGETALL", "pushring:{test}:meta") == before)
    }
  }

  @Test func aDrainingMemberStaysAndOwnsNothing() async throws {
    try await withRegistry { registry in
      let leaver = try await registry.directory.join(pod(1)).incarnation
      let stayer = try await registry.directory.join(pod(2)).incarnation
      try await registry.directory.drain(leaver)
      let window = try await registry.renew(stayer, until: "the drain shows") {
        $0.current.state(leaver) == .draining
      }
      #expect(window.current.successors(ofUserHash: 0, count: 9).map(\.incarnation) == [stayer])
      #expect(try await registry.directory.renew(leaver, load: MemberLoad(sessions: 0, strays: 0)) != .lapsed)
    }
  }

  @Test func aLeaverIsGoneWithoutGrace() async throws {
    try await withRegistry { registry in
      let leaver = try await registry.directory.join(pod(1)).incarnation
      let stayer = try await registry.directory.join(pod(2)).incarnation
      try await registry.directory.leave(leaver)
      // Nobody calls again: who made the change sees to its publication.
      try await eventually("the leave is published", within: .seconds(2)) {
        try await registry.server.cli("SCARD", "pushring:{test}:pending") == "0"
      }
      let window = try #require(try await registry.directory.window())
      #expect(window.current.members.map(\.incarnation) == [stayer])
      #expect(try await registry.directory.renew(leaver, load: MemberLoad(sessions: 0, strays: 0)) == .lapsed)
    }
  }

  @Test func otherSettingsAreRefusedAndTheMessageSaysWhich() async throws {
    try await withRegistry { registry in
      let member = try await registry.directory.join(pod(1)).incarnation
      var other = TestRegistry.patientSettings
      other.tokensPerWeight = 17
      other.lease = .milliseconds(4_500)
      let stranger = try registry.directory(other)
      await #expect { try await stranger.join(pod(2)) } throws: { error in
        let error = error as? DirectoryError
        return error?.code == .incompatible
          && error?.message.contains(": lease 3s there and 4500.0ms here, tokens 256 there and 17 here. ") == true
      }
      // Who finds nobody decides anew.
      try await registry.directory.leave(member)
      _ = try await stranger.join(pod(2))
      #expect(stranger.clusterSettings == other)
    }
  }

  @Test func aShareCapIsTheClustersAndWhoeverReadsTheViewHasIt() async throws {
    var capping = TestRegistry.patientSettings
    capping.shareCap = try ShareCap(percent: 105)
    try await withRegistry(capping) { registry in
      _ = try await registry.directory.join(pod(1))
      let second = try await registry.directory.join(pod(2)).window.current
      #expect(second.ring.shareCap?.percent == 105)
      #expect(second.ring.shares().allSatisfy { $0 <= 0.525 })

      // One without, and one with another, are told.
      for (percent, words) in [(nil, "none"), (110, "110%")] as [(Int?, String)] {
        var other = TestRegistry.patientSettings
        other.shareCap = try percent.map { try ShareCap(percent: $0) }
        let stranger = try registry.directory(other)
        await #expect { try await stranger.join(pod(3)) } throws: { error in
          let error = error as? DirectoryError
          return error?.code == .incompatible
            && error?.message.contains(": share-cap 105% there and \(words) here. ") == true
        }
        // Who only reads needs no setting.
        #expect(try await stranger.window()?.current == second)
        #expect(stranger.clusterSettings == capping)
      }
    }
  }

  @Test func theStatusShowsLeaseAndLoad() async throws {
    try await withRegistry { registry in
      let member = try await registry.directory.join(pod(1)).incarnation
      _ = try await registry.directory.renew(member, load: MemberLoad(sessions: 7, strays: 2))
      let status = try #require(try await registry.directory.memberStatus().first)
      #expect(status.member.description == pod(1))
      #expect(status.load == MemberLoad(sessions: 7, strays: 2))
      #expect(status.leaseLeft > .seconds(1) && status.leaseLeft <= .seconds(3))
    }
  }

  @Test(arguments: [
    MemberDescription(podID: "", endpoint: "a:1", peerEndpoint: "a:2"),
    MemberDescription(podID: "pod 1", endpoint: "a:1", peerEndpoint: "a:2"),
    MemberDescription(podID: "pod", endpoint: "", peerEndpoint: "a:2"),
    MemberDescription(podID: "pod", endpoint: "a:1", peerEndpoint: "a:2\n"),
    MemberDescription(podID: "pod", endpoint: "a:1", peerEndpoint: "a:2", weight: 0),
    MemberDescription(podID: "pod", endpoint: "a:1", peerEndpoint: "a:2", zone: "a\tb"),
  ])
  func aDescriptionThatTheRegistryCantHoldIsRefused(_ description: MemberDescription) async throws {
    try await withRegistry { registry in
      await #expect { try await registry.directory.join(description) } throws: {
        ($0 as? DirectoryError)?.code == .invalidArgument
      }
    }
  }
}
