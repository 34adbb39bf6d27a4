import Placement
import RedisClient
import RedisDirectory
import Sessions
import TestServers
import Testing

@Suite struct LossOfDataTests {
  @Test func afterARestartOfAnEmptyRegistryPodsResumeAndRestoreTheSameRecords() async throws {
    try await withRegistry { registry in
      let directory = registry.directory
      let first = try await directory.join(pod(1)).incarnation
      let second = try await directory.join(pod(2))
      let floor = second.window.current
      let load = MemberLoad(sessions: 0, strays: 0)
      var records: [SessionRecord] = []
      for number in 0..<300 {
        records.append(
          try await directory.register(
            try key("ann", "s\(number)"), podID: "pod-1", incarnation: first, lastEpoch: .none
          ).record)
      }
      try await registry.server.restart(empty: true)
      try await eventually("the registry answers") {
        (try? await directory.renew(first, load: load)) == .lapsed
      }
      let resumed = try await directory.resume(first, pod(1), floor: floor)
      #expect(resumed.incarnation == first)
      #expect(resumed.window.current.stamp.version > floor.stamp.version)
      #expect(directory.serverChanges == 1)
      #expect(try await directory.restore(records) == [])
      #expect(Set(try await directory.records(of: UserID("ann"))) == Set(records))
      let again = try await directory.resume(second.incarnation, pod(2), floor: floor)
      #expect(again.window.current.members.map(\.incarnation) == [first, second.incarnation])
      #expect(try await directory.join(pod(3)).incarnation > second.incarnation)
    }
  }

  @Test func aRestoredRecordDoesNotReplaceALaterOne() async throws {
    try await withRegistry { registry in
      let directory = registry.directory
      let session = try key("ann", "phone")
      let (old, new) = (Incarnation(rawValue: 11), Incarnation(rawValue: 12))
      let early = try await directory.register(session, podID: "pod-1", incarnation: old, lastEpoch: .none).record
      try await registry.server.cli("FLUSHALL")
      let late = try await directory.register(
        session, podID: "pod-2", incarnation: new, lastEpoch: early.epoch
      ).record
      #expect(try await directory.restore([early]) == [late])
      #expect(try await directory.records(of: session.user) == [late])
    }
  }

  @Test func aRestoredRecordReplacesAnEarlierOneAndTellsItsPod() async throws {
    try await withRegistry { registry in
      let directory = registry.directory
      let session = try key("ann", "phone")
      let (old, new) = (Incarnation(rawValue: 11), Incarnation(rawValue: 12))
      let early = try await directory.register(session, podID: "pod-1", incarnation: old, lastEpoch: .none).record
      let late = SessionRecord(
        key: session, podID: "pod-2", incarnation: new, epoch: Epoch(rawValue: early.epoch.rawValue + 1))
      #expect(try await directory.restore([late]) == [])
      #expect(try await directory.records(of: session.user) == [late])
      #expect(try await directory.takeTakeovers(old).map(\.newEpoch) == [late.epoch])
    }
  }

  @Test func aDeadServerIsToldOfWithClusterAndAddress() async throws {
    try await withRegistry { registry in
      try await registry.server.kill()
      await #expect { try await registry.directory.window() } throws: { error in
        let error = error as? DirectoryError
        return error?.code == .unavailable && error?.message.contains("cluster test") == true
          && error?.message.contains(registry.configuration.address) == true
      }
    }
  }
}
