import GRPCCore
import SwiftProtobuf
import TestCalls
import TestServers
import Testing
import Wire

/// A device.
struct TestSession {
  let client: TestClient
  let call: TestCall

  init(_ address: String) throws {
    client = try TestClient(address)
    call = client.call("pushring.v1.Sessions/Connect")
  }

  /// Says Hello and is welcomed.
  static func open(
    _ pod: TestPod, user: String, session: String = "", epoch: UInt64 = 0, moves: Bool = false, ticket: [UInt8] = []
  ) async throws -> (TestSession, Pushring_V1_Welcome) {
    let opened = try TestSession(try await pod.address())
    try opened.hello(user: user, session: session, epoch: epoch, moves: moves, ticket: ticket)
    return (opened, try await opened.welcome())
  }

  func send(_ frame: Pushring_V1_ClientFrame) throws { call.send(try frame.serializedBytes()) }

  func hello(
    user: String, session: String = "", epoch: UInt64 = 0, labels: [String: String] = [:], moves: Bool = false,
    ticket: [UInt8] = []
  ) throws {
    var frame = Pushring_V1_ClientFrame()
    frame.hello.userID = user
    frame.hello.sessionID = session
    frame.hello.epoch = epoch
    frame.hello.labels = labels
    frame.hello.capabilities.moves = moves
    frame.hello.ticket = .init(ticket)
    try send(frame)
  }

  func ping(_ nonce: UInt64) throws {
    var frame = Pushring_V1_ClientFrame()
    frame.ping.nonce = nonce
    try send(frame)
  }

  func next() async throws -> Pushring_V1_ServerFrame {
    let bytes = try #require(try await call.next(), "the stream ended")
    return try Pushring_V1_ServerFrame(serializedBytes: bytes)
  }

  func welcome() async throws -> Pushring_V1_Welcome {
    guard let bytes = try await call.next() else {
      throw TestServerError("the stream ended before Welcome: \(try await call.status())")
    }
    guard case .welcome(let welcome) = try Pushring_V1_ServerFrame(serializedBytes: bytes).frame else {
      throw TestServerError("the first frame is no Welcome")
    }
    return welcome
  }

  func message() async throws -> Pushring_V1_Message {
    let frame = try await next()
    guard case .message(let message) = frame.frame else { throw TestServerError("not a message: \(frame)") }
    return message
  }

  func reconnect() async throws -> Pushring_V1_Reconnect {
    let frame = try await next()
    guard case .reconnect(let reconnect) = frame.frame else { throw TestServerError("not a Reconnect: \(frame)") }
    return reconnect
  }

  func close() async {
    call.cancel()
    await client.close()
  }
}

/// What a Sender is to a pod.
struct TestSender {
  let client: TestClient
  let call: TestCall

  init(_ pod: TestPod) async throws {
    client = try TestClient(try await pod.peerAddress())
    call = client.call("pushring.v1.Delivery/Deliver")
  }

  /// - Parameter sessions: named with the least epoch; none means all of the user's.
  func deliver(
    _ text: String, to user: String, sessions: [(String, UInt64)] = [], payload: [UInt8]? = nil
  ) async throws -> Pushring_V1_DeliverResult {
    var batch = Pushring_V1_DeliverBatch()
    batch.messages = [message(text, payload ?? Array(text.utf8))]
    batch.requests = [request(to: user, sessions: sessions, correlation: 1)]
    return try #require(try await answer(to: batch).results.first)
  }

  func message(_ id: String, _ payload: [UInt8]) -> Pushring_V1_Message {
    var message = Pushring_V1_Message()
    message.id = id
    message.payload = .init(payload)
    return message
  }

  func request(
    to user: String, sessions: [(String, UInt64)] = [], message: UInt32 = 0, correlation: UInt64
  ) -> Pushring_V1_DeliverRequest {
    var request = Pushring_V1_DeliverRequest()
    request.correlation = correlation
    request.userID = user
    request.messageIndex = message
    request.sessions = sessions.map { id, epoch in
      var target = Pushring_V1_SessionTarget()
      target.sessionID = id
      target.epoch = epoch
      return target
    }
    return request
  }

  func answer(to batch: Pushring_V1_DeliverBatch) async throws -> Pushring_V1_DeliverResultBatch {
    call.send(try batch.serializedBytes())
    let bytes = try #require(try await call.next(), "the stream ended")
    return try Pushring_V1_DeliverResultBatch(serializedBytes: bytes)
  }

  func close() async {
    call.cancel()
    await client.close()
  }
}

/// One request, one answer.
func ask<Answer: SwiftProtobuf.Message>(
  _ address: String, _ method: String, _ request: some SwiftProtobuf.Message, as: Answer.Type = Answer.self
) async throws -> (Answer?, TestStatus) {
  let client = try TestClient(address)
  let call = client.call(method)
  call.send(try request.serializedBytes())
  call.finish()
  let answer = try await call.next().map { try Answer(serializedBytes: $0) }
  let status = try await call.status()
  await client.close()
  return (answer, status)
}
