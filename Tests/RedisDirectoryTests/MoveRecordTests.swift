import Placement
import RedisDirectory
import Sessions
import TestServers
import Testing

/// The record of a session while it moves: the old stream lives until the new one is welcomed, and may yet be what is left.
@Suite struct MoveRecordTests {
  private struct Move {
    let source: Membership
    let target: Membership
    let old: SessionRecord
    let new: SessionRecord
    var key: SessionKey { old.key }
  }

  /// ann's phone is on pod-1, and pod-2 has registered it for a move.
  private func begin(_ registry: TestRegistry) async throws -> Move {
    let directory = registry.directory
    let source = try await directory.join(pod(1))
    let target = try await directory.join(pod(2))
    let session = try key("ann", "phone")
    let old = try await directory.register(
      session, podID: "pod-1", incarnation: source.incarnation, lastEpoch: .none
    ).record
    let moved = try await directory.register(
      session, podID: "pod-2", incarnation: target.incarnation, lastEpoch: old.epoch, reportsTakeover: false)
    #expect(moved.replaced == old)
    return Move(source: source, target: target, old: old, new: moved.record)
  }

  @Test func theOldPodIsToldOnlyWhenTheNewOneHasWelcomedTheSession() async throws {
    try await withRegistry { registry in
      let move = try await begin(registry)
      #expect(try await registry.directory.takeTakeovers(move.source.incarnation) == [])
      await registry.directory.release(move.old, by: move.new)
      let takeover = Takeover(key: move.key, newEpoch: move.new.epoch, newPodID: "pod-2")
      #expect(try await registry.directory.takeTakeovers(move.source.incarnation) == [takeover])
      #expect(try await registry.directory.records(of: move.key.user) == [move.new])
    }
  }

  @Test func sendersFindTheOldStreamUntilThen() async throws {
    try await withRegistry { registry in
      let move = try await begin(registry)
      let ann = move.key.user
      #expect(try await registry.directory.records(of: ann) == [move.new])
      // The one that counts where both do comes last.
      #expect(try await registry.directory.vouchedRecords(of: ann).records == [move.old, move.new])
      await registry.directory.release(move.old, by: move.new)
      #expect(try await registry.directory.vouchedRecords(of: ann).records == [move.new])
    }
  }

  @Test func aMoveThatCameToNothingGivesTheRecordBackAndTellsItsPod() async throws {
    try await withRegistry { registry in
      let move = try await begin(registry)
      // The old stream's end, meanwhile, has struck it out of the index.
      #expect(try await !registry.directory.unregister(move.old))
      #expect(try await registry.directory.unregister(move.new, puttingBack: move.old))
      #expect(try await registry.directory.vouchedRecords(of: move.key.user).records == [move.old])
      let told = Takeover(key: move.key, newEpoch: move.old.epoch, newPodID: "pod-1")
      #expect(try await registry.directory.takeTakeovers(move.source.incarnation) == [told])
      let index = try await registry.server.cli("SMEMBERS", "pushring:{test:i:\(move.source.incarnation)}:index")
      #expect(index == "ann\tphone")
    }
  }

  @Test func nothingIsPutBackOverALaterRecord() async throws {
    try await withRegistry { registry in
      let move = try await begin(registry)
      let later = try await registry.directory.register(
        move.key, podID: "pod-3", incarnation: Incarnation(rawValue: 77), lastEpoch: move.new.epoch
      ).record
      #expect(try await !registry.directory.unregister(move.new, puttingBack: move.old))
      #expect(try await registry.directory.records(of: move.key.user) == [later])
      #expect(try await registry.directory.takeTakeovers(move.source.incarnation) == [])
    }
  }

  @Test func theNewPodsOwnWorkIsNotDisturbedByWhatItsRecordNames() async throws {
    try await withRegistry { registry in
      let move = try await begin(registry)
      // Written already: neither superseded nor written anew.
      #expect(try await registry.directory.restore([move.new]) == [])
      #expect(try await registry.directory.vouchedRecords(of: move.key.user).records == [move.old, move.new])
      #expect(try await registry.directory.unregister(move.new))
      #expect(try await registry.directory.records(of: move.key.user) == [])
    }
  }

  @Test func theSweeperPutsBackWhatADeadTargetHadTaken() async throws {
    try await withRegistry(TestRegistry.settings) { registry in
      let move = try await begin(registry)
      try await registry.directory.leave(move.target.incarnation)
      try await eventually("the target's record is swept") {
        _ = try await registry.directory.renew(move.source.incarnation, load: .init(sessions: 1, strays: 0))
        _ = try await registry.directory.sweep(limit: 100)
        return try await registry.directory.records(of: move.key.user) == [move.old]
      }
    }
  }

  @Test func theSweeperPutsNothingBackForAPodThatIsGoneToo() async throws {
    try await withRegistry(TestRegistry.settings) { registry in
      let move = try await begin(registry)
      let third = try await registry.directory.join(pod(3)).incarnation
      try await registry.directory.leave(move.source.incarnation)
      try await registry.directory.leave(move.target.incarnation)
      try await eventually("both are swept") {
        _ = try await registry.directory.renew(third, load: .init(sessions: 0, strays: 0))
        let swept = try await registry.directory.sweep(limit: 100)
        return try await registry.directory.records(of: move.key.user).isEmpty && swept.incarnationsLeft == 0
      }
    }
  }
}
