import GRPCCore
import SessionEdge
import SessionManager
import Sessions
import SwiftProtobuf
import TestCalls
import TestServers
import Testing
import Wire

/// Clients that do not read, while more happens to their sessions than messages.
@Suite struct SlowClientTests {
  @Test(arguments: [SlowPolicy.dropNewest, .dropOldest])
  func aSessionThatMovesHearsOfAllThatItLost(_ policy: SlowPolicy) async throws {
    try await withCluster(["a", "b"]) { configuration, _ in
      configuration.outboundLimitBytes = 200_000
      configuration.slowPolicy = policy
    } _: { cluster in
      let (old, first) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      let sender = try await TestSender(cluster.pods[0])
      let payload = [UInt8](repeating: 1, count: 50_000)
      var (pushes, slow) = (0, 0)
      // The client's library buffers some megabytes by itself before it stops reading the connection.
      while slow < 20, pushes < 2_000 {
        let result = try await sender.deliver("\(pushes)", to: "ann", payload: payload)
        pushes += 1
        slow += result.sessions.count { $0.slowPolicy == Pushring_V1_SlowPolicy(policy) }
      }
      #expect(slow == 20)
      let (new, _) = try await TestSession.open(cluster.pods[1], user: "ann", session: "phone", epoch: first.epoch)
      // Pushed on, until the first pod has let the session go.
      for _ in 0..<500 where slow > 0 {
        slow = try await sender.deliver("\(pushes)", to: "ann", payload: payload).sessions.count
        pushes += slow
        try await Task.sleep(for: .milliseconds(10))
      }
      #expect(slow == 0)
      var (received, lost): ([String], Int) = ([], 0)
      while let bytes = try await old.call.next() {
        switch try Pushring_V1_ServerFrame(serializedBytes: bytes).frame {
        case .message(let message): received.append(message.id)
        case .dropped(let dropped): lost += Int(dropped.messages)
        default: Issue.record("neither a message nor word of one")
        }
      }
      #expect(try await old.call.status().trailers["pushring-reason"] == "taken-over")
      #expect(lost > 1)
      #expect(received.count + lost == pushes)
      for session in [old, new] { await session.close() }
      await sender.close()
    }
  }

  @Test func aStreamThatIsEndedForBeingSlowLeavesNothingBehind() async throws {
    try await withCluster(["a"]) { configuration, edge in
      configuration.outboundLimitBytes = 200_000
      configuration.slowPolicy = .disconnect
      edge.patience = .seconds(60)
    } _: { cluster in
      let (session, first) = try await TestSession.open(cluster.pods[0], user: "ann", session: "phone")
      let sender = try await TestSender(cluster.pods[0])
      let payload = [UInt8](repeating: 1, count: 50_000)
      var last = Pushring_V1_SessionResult()
      for number in 0..<2_000 where last.outcome != .slow {
        last = try #require(try await sender.deliver("\(number)", to: "ann", payload: payload).sessions.first)
      }
      #expect(last.outcome == .slow && last.slowPolicy == .disconnect && last.epoch == first.epoch)
      #expect(try await sender.deliver("after", to: "ann").sessions.isEmpty)
      try await eventually("its record is gone") { try await cluster.records(of: "ann").isEmpty }
      let status = try await session.call.status()
      #expect(status.code == .resourceExhausted && status.trailers["pushring-reason"] == "slow")
      // It comes back, and is as good as any.
      let (again, _) = try await TestSession.open(
        cluster.pods[0], user: "ann", session: "phone", epoch: first.epoch)
      #expect(try await sender.deliver("again", to: "ann").sessions.map(\.outcome) == [.delivered])
      #expect(try await again.message().id == "again")
      for session in [session, again] { await session.close() }
      await sender.close()
    }
  }
}
