import Placement
import RedisDirectory
import Sessions
import TestServers
import Testing

/// The barrier after a loss of data: nothing settles, and nobody new admits, until old claims and streams are over.
@Suite struct RecoveryTests {
  let load = MemberLoad(sessions: 0, strays: 0)

  @Test func whoFindsAnEmptyRegistryAdmitsNobodyForOneLease() async throws {
    try await withRegistry { registry in
      let first = try await registry.directory.join(pod(1))
      #expect(first.admitsAfter > .seconds(2) && first.admitsAfter <= .seconds(3))
      let second = try await registry.directory.join(pod(2))
      #expect(second.admitsAfter > .seconds(2) && second.admitsAfter <= .seconds(3))
    }
  }

  @Test func inAnEmptyRegistryNothingSettlesForAWhile() async throws {
    var settings = TestRegistry.settings
    settings.recoveryWait = .milliseconds(400)
    try await withRegistry(settings) { registry in
      let directory = registry.directory
      let start = ContinuousClock.now
      let member = try await directory.join(pod(1))
      #expect(try await directory.acknowledge(member.incarnation, view: member.window.current.stamp))
      #expect(try await directory.window()?.settled.stamp == ViewStamp.none)
      let settled = try await registry.renew(member.incarnation, until: "the view settles") {
        $0.settled.stamp == $0.current.stamp
      }
      #expect(start.duration(to: .now) >= .milliseconds(400))
      #expect(settled.current.stamp == member.window.current.stamp)
    }
  }

  @Test func afterALossTheForgottenAreInGraceAndNothingSettlesWithoutThem() async throws {
    try await withRegistry(TestRegistry.settings) { registry in
      let directory = registry.directory
      let one = try await directory.join(pod(1)).incarnation
      let two = try await directory.join(pod(2))
      try await registry.server.cli("FLUSHALL")
      let lost = ContinuousClock.now
      #expect(try await directory.renew(one, load: load) == .lapsed)
      let resumed = try await directory.resume(one, pod(1), floor: two.window.current)
      #expect(resumed.window.current.state(two.incarnation) == .grace)
      #expect(resumed.window.settled.stamp == ViewStamp.none)
      #expect(try await directory.acknowledge(one, view: resumed.window.current.stamp))
      let gone = try await registry.renew(one, until: "the grace is over") {
        $0.current.state(two.incarnation) == nil
      }
      #expect(lost.duration(to: .now) >= TestRegistry.settings.lease + TestRegistry.settings.grace)
      #expect(try await directory.acknowledge(one, view: gone.current.stamp))
      #expect(try await directory.window()?.settled == gone.current)
    }
  }

  @Test func allWhoResumeSettleOnlyAfterTheWait() async throws {
    var settings = TestRegistry.settings
    settings.recoveryWait = .milliseconds(700)
    try await withRegistry(settings) { registry in
      let directory = registry.directory
      let one = try await directory.join(pod(1)).incarnation
      let floor = try await directory.join(pod(2)).window.current
      let two = try #require(floor.members.last).incarnation
      try await registry.server.cli("FLUSHALL")
      let lost = ContinuousClock.now
      _ = try await directory.resume(one, pod(1), floor: floor)
      let both = try await directory.resume(two, pod(2), floor: floor)
      // A third that is new may not admit anybody yet.
      #expect(try await directory.join(pod(3)).admitsAfter > .zero)
      try await directory.leave(try #require(try await directory.window()).current.newest)
      #expect(both.window.current.state(one) == .active)
      try await waitUntil("it settles") {
        let window = try #require(try await directory.window())
        for member in [one, two] {
          _ = try await directory.renew(member, load: load)
          _ = try await directory.acknowledge(member, view: window.current.stamp)
        }
        return window.settled.stamp == window.current.stamp ? window : nil
      }
      #expect(lost.duration(to: .now) >= .milliseconds(700))
    }
  }

  @Test func recordsAreVouchedForOnlyByARegistryWhoseMembersHaveAllAgreed() async throws {
    try await withRegistry(isPersistent: true) { registry in
      let directory = registry.directory
      let member = try await directory.join(pod(1))
      let record = try await directory.register(
        try key("ann", "phone"), podID: "pod-1", incarnation: member.incarnation, lastEpoch: .none
      ).record
      let ann = record.key.user
      #expect(try await directory.vouchedRecords(of: ann) == UserRecords(records: [record], areAll: false))
      #expect(try await directory.acknowledge(member.incarnation, view: member.window.current.stamp))
      #expect(try await directory.vouchedRecords(of: ann) == UserRecords(records: [record], areAll: true))
      // The data is all there, but from another process it proves nothing.
      try await registry.server.restart(empty: false)
      let read = try await waitUntil("the registry answers") { try? await directory.vouchedRecords(of: ann) }
      #expect(read == UserRecords(records: [record], areAll: false))
      let resumed = try await directory.resume(member.incarnation, pod(1), floor: member.window.current)
      #expect(try await !directory.vouchedRecords(of: ann).areAll)
      #expect(try await directory.acknowledge(member.incarnation, view: resumed.window.current.stamp))
      #expect(try await directory.vouchedRecords(of: ann).areAll)
      try await registry.server.cli("FLUSHALL")
      #expect(try await directory.vouchedRecords(of: ann) == UserRecords(records: [], areAll: false))
    }
  }

  /// A file or a replica that is behind looks like the truth: only the process tells.
  @Test func anotherRedisProcessVoidsAllLeasesAlsoWithItsDataIntact() async throws {
    try await withRegistry(isPersistent: true) { registry in
      let directory = registry.directory
      let one = try await directory.join(pod(1))
      #expect(try await directory.acknowledge(one.incarnation, view: one.window.current.stamp))
      try await registry.server.restart(empty: false)
      try await eventually("the registry answers") {
        (try? await directory.renew(one.incarnation, load: load)) == .lapsed
      }
      let window = try await waitUntil("the view is made") {
        try await directory.window().flatMap { $0.current.state(one.incarnation) == .grace ? $0 : nil }
      }
      #expect(window.settled.stamp == ViewStamp.none)
      let resumed = try await directory.resume(one.incarnation, pod(1), floor: one.window.current)
      #expect(resumed.window.current.state(one.incarnation) == .active)
      #expect(try await directory.renew(one.incarnation, load: load) != .lapsed)
    }
  }
}
