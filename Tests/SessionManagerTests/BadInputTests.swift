import GRPCCore
import Placement
import RedisDirectory
import SessionManager
import Sessions
import SwiftProtobuf
import TestCalls
import TestServers
import Testing
import Wire

/// Each gets a clear status, and leaves the pod serving others.
@Suite struct BadInputTests {
  enum Input: String, CaseIterable, CustomTestStringConvertible {
    case emptyUser, longUser, controlCharacter, longSession, manyLabels, secondHello, pingFirst, garbage, oversize
    case halfClosed, silence
    var testDescription: String { rawValue }
  }

  private func send(_ input: Input, on session: TestSession) async throws {
    switch input {
    case .emptyUser: try session.hello(user: "")
    case .longUser: try session.hello(user: String(repeating: "u", count: 257))
    case .controlCharacter: try session.hello(user: "a\u{1}b")
    case .longSession: try session.hello(user: "eve", session: String(repeating: "s", count: 257))
    case .manyLabels:
      try session.hello(user: "eve", labels: Dictionary(uniqueKeysWithValues: (0..<17).map { ("\($0)", "") }))
    case .secondHello:
      try session.hello(user: "eve")
      _ = try await session.welcome()
      try session.hello(user: "eve")
    case .pingFirst: try session.ping(1)
    case .garbage: session.call.send([255, 255, 255, 255])
    case .oversize: session.call.send([UInt8](repeating: 0, count: 64 * 1024 + 1))
    case .halfClosed: session.call.finish()
    case .silence: break
    }
  }

  private func expected(_ input: Input) -> (RPCError.Code, String?, String) {
    switch input {
    case .emptyUser: (.invalidArgument, "bad-hello", "user id is empty")
    case .longUser: (.invalidArgument, "bad-hello", "257 bytes")
    case .controlCharacter: (.invalidArgument, "bad-hello", "control character")
    case .longSession: (.invalidArgument, "bad-hello", "session id has 257 bytes")
    case .manyLabels: (.invalidArgument, "bad-hello", "17 labels")
    case .secondHello: (.invalidArgument, "bad-hello", "second Hello")
    case .pingFirst: (.invalidArgument, "bad-hello", "first frame must be Hello")
    case .garbage: (.invalidArgument, "bad-frame", "ClientFrame")
    case .oversize: (.resourceExhausted, nil, "at most 65536")
    case .halfClosed: (.invalidArgument, "bad-hello", "before Hello")
    case .silence: (.deadlineExceeded, "hello-timeout", "no Hello came")
    }
  }

  @Test func everyBadInputGetsItsStatusAndOthersAreServed() async throws {
    try await withCluster(["a"], settings: quickSettings) { configuration, _ in
      configuration.helloTimeout = .seconds(2)
    } _: { cluster in
      let pod = cluster.pods[0]
      let (bystander, _) = try await TestSession.open(pod, user: "ann")
      for input in Input.allCases {
        let session = try TestSession(try await pod.address())
        try await send(input, on: session)
        let status = try await session.call.status()
        let (code, reason, text) = expected(input)
        #expect(status.code == code, "\(input): \(status)")
        #expect(status.trailers["pushring-reason"] == reason, "\(input): \(status)")
        #expect(status.message.contains(text), "\(input): \(status)")
        await session.close()
      }
      try await eventually("no record is left of the ended session") { try await cluster.records(of: "eve").isEmpty }
      let sender = try await TestSender(pod)
      #expect(try await sender.deliver("still", to: "ann").sessions.map(\.outcome) == [.delivered])
      #expect(try await bystander.message().id == "still")
      await sender.close()
      await bystander.close()
    }
  }

  @Test func pingIsAnsweredWithItsNonce() async throws {
    try await withCluster { cluster in
      let (session, _) = try await TestSession.open(cluster.pods[0], user: "ann")
      try session.ping(42)
      #expect(try await session.next().pong.nonce == 42)
      await session.close()
    }
  }

  @Test func halfClosingEndsTheSessionInGoodOrder() async throws {
    try await withCluster { cluster in
      let (session, _) = try await TestSession.open(cluster.pods[0], user: "ann")
      session.call.finish()
      #expect(try await session.call.status().isOK)
      try await eventually("the record is gone") { try await cluster.records(of: "ann").isEmpty }
      await session.close()
    }
  }

  @Test func aFullPodNamesOthers() async throws {
    try await withCluster(["a", "b"], settings: quickSettings) { configuration, _ in
      configuration.maximumSessions = 1
    } _: { cluster in
      let (first, _) = try await TestSession.open(cluster.pods[0], user: "ann")
      let second = try TestSession(try await cluster.pods[0].address())
      try second.hello(user: "bob")
      let status = try await second.call.status()
      #expect(status.code == .resourceExhausted)
      #expect(status.trailers["pushring-reason"] == "full")
      #expect(status.trailers["pushring-endpoints"] == (try await cluster.pods[1].address()))
      for session in [first, second] { await session.close() }
    }
  }
}
