import Placement
import RedisDirectory
import Sessions
import TestServers
import Testing

@Suite struct SessionRecordTests {
  let first = Incarnation(rawValue: 11)
  let second = Incarnation(rawValue: 12)

  @Test func eachSessionOfAUserHasItsRecord() async throws {
    try await withRegistry { registry in
      let phone = try await registry.directory.register(
        try key("ann", "phone"), podID: "pod-1", incarnation: first, lastEpoch: .none)
      #expect(phone.replaced == nil)
      let desk = try await registry.directory.register(
        try key("ann", "desk"), podID: "pod-2", incarnation: second, lastEpoch: .none)
      #expect(Set(try await registry.directory.records(of: UserID("ann"))) == [phone.record, desk.record])
      #expect(try await registry.directory.records(of: UserID("bob")) == [])
    }
  }

  @Test func epochsGrowAlsoWhenTheRegistryWasEmptied() async throws {
    try await withRegistry { registry in
      let session = try key("ann", "phone")
      var last = Epoch.none
      for round in 0..<4 {
        if round == 2 { try await registry.server.cli("FLUSHALL") }
        let record = try await registry.directory.register(
          session, podID: "pod-1", incarnation: first, lastEpoch: last
        ).record
        #expect(record.epoch > last)
        last = record.epoch
      }
      // A client may be ahead of the server's clock.
      let ahead = Epoch(rawValue: last.rawValue + 3_600_000_000)
      let next = try await registry.directory.register(session, podID: "pod-1", incarnation: first, lastEpoch: ahead)
      #expect(next.record.epoch.rawValue == ahead.rawValue + 1)
    }
  }

  @Test func anEpochThatNoRegistryGaveIsIgnored() async throws {
    try await withRegistry { registry in
      let forged = Epoch(rawValue: .max)
      let record = try await registry.directory.register(
        try key("ann", "phone"), podID: "pod-1", incarnation: first, lastEpoch: forged
      ).record
      #expect(record.epoch.rawValue < 1 << 52)
    }
  }

  @Test func aTakeoverIsReportedToTheOldPodOnce() async throws {
    try await withRegistry { registry in
      let old = try await registry.directory.join(pod(1)).incarnation
      let second = try await registry.directory.join(pod(2)).incarnation
      let session = try key("ann", "phone")
      let before = try await registry.directory.register(session, podID: "pod-1", incarnation: old, lastEpoch: .none)
      let after = try await registry.directory.register(
        session, podID: "pod-2", incarnation: second, lastEpoch: before.record.epoch)
      #expect(after.replaced == before.record)
      let takeover = Takeover(key: session, newEpoch: after.record.epoch, newPodID: "pod-2")
      guard
        case .renewed(_, _, let taken, _) = try await registry.directory.renew(old, load: .init(sessions: 0, strays: 0))
      else {
        Issue.record("the member lapsed")
        return
      }
      #expect(taken == [takeover])
      #expect(try await registry.directory.takeTakeovers(old) == [])
      #expect(try await registry.directory.takeTakeovers(second) == [])
    }
  }

  @Test func anOldStreamsEndDeletesNoNewRecord() async throws {
    try await withRegistry { registry in
      let session = try key("ann", "phone")
      let old = try await registry.directory.register(
        session, podID: "pod-1", incarnation: first, lastEpoch: .none
      ).record
      let new = try await registry.directory.register(
        session, podID: "pod-1", incarnation: first, lastEpoch: old.epoch
      ).record
      #expect(try await !registry.directory.unregister(old))
      #expect(try await registry.directory.records(of: session.user) == [new])
      // The index still knows of the new one.
      #expect(try await registry.server.cli("SMEMBERS", "pushring:{test:i:11}:index") == "ann\tphone")
      #expect(try await registry.directory.unregister(new))
      #expect(try await registry.directory.records(of: session.user) == [])
      #expect(try await registry.server.cli("EXISTS", "pushring:{test:i:11}:index") == "0")
      #expect(try await !registry.directory.unregister(new))
    }
  }

  @Test func aThousandRegistrationsAtOnceAllSucceed() async throws {
    try await withRegistry { registry in
      let records = try await withThrowingTaskGroup(of: SessionRecord.self) { group in
        for number in 0..<1_000 {
          let session = try key("user-\(number % 100)", "session-\(number)")
          group.addTask {
            try await registry.directory.register(session, podID: "pod-1", incarnation: first, lastEpoch: .none).record
          }
        }
        return try await group.reduce(into: Set<SessionRecord>()) { $0.insert($1) }
      }
      var stored: Set<SessionRecord> = []
      for number in 0..<100 { stored.formUnion(try await registry.directory.records(of: UserID("user-\(number)"))) }
      #expect(stored.count == 1_000 && stored == records)
    }
  }

  @Test func aRecordOfAnUnknownFormatIsRefusedByKey() async throws {
    try await withRegistry { registry in
      for garbage in ["2 whatever", "", "1 x y z", "1 11 12 "] {
        try await registry.server.cli("HSET", "pushring:{test:u:ann}:sessions", "phone", garbage)
        await #expect { try await registry.directory.records(of: UserID("ann")) } throws: { error in
          let error = error as? DirectoryError
          return error?.code == .incompatible && error?.message.contains("pushring:{test:u:ann}:sessions") == true
        }
      }
      await #expect {
        try await registry.directory.register(
          try key("ann", "phone"), podID: "pod-1", incarnation: first, lastEpoch: .none)
      } throws: {
        ($0 as? DirectoryError)?.code == .incompatible
      }
    }
  }
}
