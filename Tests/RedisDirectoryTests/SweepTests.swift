import Placement
import RedisDirectory
import Sessions
import TestServers
import Testing

@Suite struct SweepTests {
  @Test func whatTheDeadLeftIsSweptAndNothingElse() async throws {
    try await withRegistry { registry in
      let directory = registry.directory
      let dead = try await directory.join(pod(1)).incarnation
      let live = try await directory.join(pod(2)).incarnation
      for number in 0..<5 {
        _ = try await directory.register(
          try key("ann", "s\(number)"), podID: "pod-1", incarnation: dead, lastEpoch: .none)
      }
      // One went over to the other pod.
      let moved = try await directory.register(
        try key("ann", "s0"), podID: "pod-2", incarnation: live, lastEpoch: .none
      ).record
      #expect(try await directory.sweep(limit: 100) == SweepResult(deleted: 0, incarnationsLeft: 0))
      try await directory.leave(dead)
      var deleted = 0
      // Not at once: what it sent may still be on its way.
      #expect(try await directory.sweep(limit: 100).deleted == 0)
      try await eventually("all is swept", within: .seconds(10)) {
        // The registry's clock goes by calls.
        _ = try await directory.renew(live, load: MemberLoad(sessions: 0, strays: 0))
        let result = try await directory.sweep(limit: 2)
        #expect(result.deleted <= 2)
        deleted += result.deleted
        return result.incarnationsLeft == 0
      }
      #expect(deleted == 4)
      #expect(try await directory.records(of: UserID("ann")) == [moved])
      // It can't come back to where its records are gone.
      await #expect { try await directory.resume(dead, pod(1), floor: View.none) } throws: {
        ($0 as? DirectoryError)?.code == .departed
      }
    }
  }
}
