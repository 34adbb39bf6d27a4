import Placement
import RedisDirectory
import SessionManager
import Sessions
import SwiftProtobuf
import TestCalls
import TestServers
import Testing
import Wire

@Suite struct DeliveryTests {
  @Test func aPushedMessageArrivesExactlyAsItWas() async throws {
    try await withCluster { cluster in
      let pod = cluster.pods[0]
      let (session, welcome) = try await TestSession.open(pod, user: "ann", session: "phone")
      #expect(welcome.sessionID == "phone")
      #expect(welcome.podID == "a")
      #expect(welcome.epoch > 0)
      #expect(welcome.incarnation > 0)
      #expect(welcome.view.version > 0)
      #expect(welcome.maxMessageBytes == 256 * 1024)
      let record = try #require(try await cluster.records(of: "ann").first)
      #expect(record.epoch.rawValue == welcome.epoch)
      #expect(record.incarnation.rawValue == welcome.incarnation)

      let sender = try await TestSender(pod)
      var batch = Pushring_V1_DeliverBatch()
      var message = sender.message("m1", [0, 255, 7])
      message.headers = ["trace": "x"]
      message.sentAtUnixMicros = 12345
      batch.messages = [message]
      batch.requests = [sender.request(to: "ann", correlation: 77)]
      let answer = try await sender.answer(to: batch)
      let result = try #require(answer.results.first)
      #expect(result.correlation == 77)
      #expect(result.sessions.map(\.outcome) == [.delivered])
      #expect(result.sessions.map(\.epoch) == [welcome.epoch])
      #expect(answer.window.current == welcome.view)
      #expect(try await session.message() == message)
      await sender.close()
      await session.close()
      try await eventually("the record is gone") { try await cluster.records(of: "ann").isEmpty }
    }
  }

  @Test func oneBatchServesManyUsersAndSessions() async throws {
    try await withCluster { cluster in
      let pod = cluster.pods[0]
      let (phone, phoneWelcome) = try await TestSession.open(pod, user: "ann", session: "phone")
      let (tablet, _) = try await TestSession.open(pod, user: "ann", session: "tablet")
      let (bob, _) = try await TestSession.open(pod, user: "bob")
      let sender = try await TestSender(pod)
      var batch = Pushring_V1_DeliverBatch()
      batch.messages = [sender.message("first", [1]), sender.message("second", [2])]
      batch.requests = [
        sender.request(to: "ann", message: 0, correlation: 1),
        sender.request(to: "bob", message: 1, correlation: 2),
        sender.request(to: "carol", message: 1, correlation: 3),
        sender.request(to: "ann", sessions: [("phone", phoneWelcome.epoch)], message: 1, correlation: 4),
        sender.request(to: "ann", sessions: [("phone", phoneWelcome.epoch + 1)], message: 1, correlation: 5),
        sender.request(to: "ann", message: 2, correlation: 6),
        sender.request(to: "", message: 0, correlation: 7),
      ]
      let results = try await sender.answer(to: batch).results
      #expect(results.map(\.correlation) == [1, 2, 3, 4, 5, 6, 7])
      #expect(results[0].sessions.map(\.outcome) == [.delivered, .delivered])
      #expect(results[1].sessions.map(\.outcome) == [.delivered])
      #expect(results[2].sessions.isEmpty && results[2].error.isEmpty)
      #expect(results[3].sessions.map(\.outcome) == [.delivered])
      #expect(results[4].sessions.map(\.outcome) == [.gone])
      #expect(results[5].error.contains("names message 2"))
      #expect(results[6].error.contains("user id is empty"))
      #expect(try await phone.message().id == "first")
      #expect(try await phone.message().id == "second")
      #expect(try await tablet.message().id == "first")
      #expect(try await bob.message().id == "second")
      for session in [phone, tablet, bob] { await session.close() }
      await sender.close()
    }
  }

  @Test func aClientThatDoesNotReadIsSlowAndHarmsNobody() async throws {
    try await withCluster(["a"], settings: quickSettings) { configuration, _ in
      configuration.outboundLimitBytes = 200_000
    } _: { cluster in
      let pod = cluster.pods[0]
      let (slow, _) = try await TestSession.open(pod, user: "ann", session: "slow")
      let (good, _) = try await TestSession.open(pod, user: "ann", session: "good")
      let sender = try await TestSender(pod)
      let payload = [UInt8](repeating: 1, count: 50_000)
      var slowOutcomes: [Pushring_V1_Outcome] = []
      // The client's library buffers some megabytes by itself before it stops reading the connection.
      for number in 0..<2000 where slowOutcomes.last != .slow {
        let result = try await sender.deliver("\(number)", to: "ann", payload: payload)
        slowOutcomes += result.sessions.filter { $0.sessionID == "slow" }.map(\.outcome)
        #expect(result.sessions.first { $0.sessionID == "good" }?.outcome == .delivered)
        #expect(try await good.message().id == "\(number)")
      }
      #expect(slowOutcomes.last == .slow)
      // What was queued arrives, in order and without a gap, and then word of the one that was dropped.
      let delivered = slowOutcomes.count { $0 == .delivered }
      for number in 0..<delivered { #expect(try await slow.message().id == "\(number)") }
      #expect(try await slow.next().dropped.messages == 1)
      let result = try await sender.deliver("again", to: "ann", sessions: [("slow", 0)])
      #expect(result.sessions.map(\.outcome) == [.delivered])
      #expect(try await slow.message().id == "again")
      for session in [slow, good] { await session.close() }
      await sender.close()
    }
  }

  @Test func aPayloadAboveTheLimitIsRefusedAndOneOfTheLimitIsNot() async throws {
    try await withCluster(["a"], settings: quickSettings) { configuration, _ in
      configuration.maximumMessageBytes = 1000
    } _: { cluster in
      let (session, welcome) = try await TestSession.open(cluster.pods[0], user: "ann")
      #expect(welcome.maxMessageBytes == 1000)
      let sender = try await TestSender(cluster.pods[0])
      let largest = try await sender.deliver("largest", to: "ann", payload: [UInt8](repeating: 1, count: 1000))
      #expect(largest.sessions.map(\.outcome) == [.delivered])
      #expect(try await session.message().payload.count == 1000)
      let larger = try await sender.deliver("larger", to: "ann", payload: [UInt8](repeating: 1, count: 1001))
      #expect(larger.sessions.map(\.outcome) == [.refused])
      #expect(larger.sessions.allSatisfy { $0.detail.contains("at most 1000 (--max-message)") })
      await sender.close()
      await session.close()
    }
  }
}
