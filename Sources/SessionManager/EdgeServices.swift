/// What the session edge serves: `Sessions.Connect`, `Sessions.Locate`, and the standard health service.
internal import Placement
internal import Rebalancing
internal import SessionEdge
internal import Sessions
internal import SwiftProtobuf
internal import Wire

struct EdgeServices: EdgeApplication {
  private let hub: SessionHub
  private let connect: ConnectHandler
  private let locate: OneRequestHandler
  private let check: OneRequestHandler

  init(hub: SessionHub) {
    self.hub = hub
    connect = ConnectHandler(hub)
    locate = OneRequestHandler { message throws(RequestError) in try answerLocate(message, hub) }
    check = OneRequestHandler { message throws(RequestError) in try checkHealth(message, hub.readiness) }
  }

  private enum Method: String, CaseIterable {
    case connect = "pushring.v1.Sessions/Connect"
    case locate = "pushring.v1.Sessions/Locate"
    case check = "grpc.health.v1.Health/Check"
    case watch = "grpc.health.v1.Health/Watch"
  }

  var methods: [String] { Method.allCases.map(\.rawValue) }

  func callOpened(_ call: any EdgeCall, method: String, metadata: [(String, String)]) -> any EdgeCallHandler {
    switch Method(rawValue: method) {
    case .connect:
      hub.opened(call)
      return connect
    case .locate: return locate
    case .check: return check
    case .watch: return WatchHealthHandler(hub.readiness)
    case nil:
      call.end(EdgeStatus(.unimplemented, "there is no method \(method)"))
      return check
    }
  }

  /// Other calls than `Connect` have a message or two in their queues, which nobody counts: the hub does not know them.
  func bytesWritten(_ progress: [EdgeProgress]) { hub.bytesWritten(progress) }
}

// MARK: - Connect

/// Reads sessions' frames; everything that is decided is decided in the hub. One serves all sessions.
final class ConnectHandler: EdgeCallHandler {
  private let hub: SessionHub

  init(_ hub: SessionHub) { self.hub = hub }

  /// `--hello-timeout` does.
  var takesOneMessage: Bool { false }

  func messageReceived(_ message: [UInt8], on call: any EdgeCall) {
    guard let frame = try? Pushring_V1_ClientFrame(serializedBytes: message) else {
      return hub.end(call, StreamEnd(.badFrame, "a frame that is no pushring.v1.ClientFrame"))
    }
    if case .hello(let hello) = frame.frame {
      return hub.helloReceived(call, HelloRequest(hello), ticket: MoveTicket(bytes: hello.ticket))
    }
    guard hub.hasSaidHello(call) else {
      return hub.end(call, StreamEnd(.badHello, "the first frame must be Hello"))
    }
    switch frame.frame {
    case .acknowledge(let acknowledge): hub.acknowledged(acknowledge.messageIds.count)
    case .ping(let ping): hub.pingReceived(call, nonce: ping.nonce)
    // A frame of a newer client that this pod does not know changes nothing.
    case .pong, .hello, nil: break
    }
  }

  /// The session is over by the client's wish; without a Hello there was none.
  func inputEnded(of call: any EdgeCall) {
    guard hub.hasSaidHello(call) else {
      return hub.end(call, StreamEnd(.badHello, "the stream ended before Hello"))
    }
    hub.left(call)
  }

  func messagesDropped(_ count: Int, bytes: Int, on call: any EdgeCall) {
    hub.messagesDropped(call, count, bytes: bytes)
  }

  func lastMessage(on call: any EdgeCall) -> [UInt8]? { hub.lastMessage(call) }

  func closed(_ call: any EdgeCall, _ reason: EdgeCloseReason) { hub.closed(call, reason) }
}

extension HelloRequest {
  init(_ hello: Pushring_V1_Hello) {
    self.init(
      userID: hello.userID, sessionID: hello.sessionID, epoch: hello.epoch, labels: hello.labels,
      moves: hello.capabilities.moves, acknowledges: hello.capabilities.acknowledges)
  }
}

// MARK: - Calls of one request and one answer

/// Answers the message and ends the call.
final class OneRequestHandler: EdgeCallHandler {
  private let answer: @Sendable ([UInt8]) throws(RequestError) -> [UInt8]

  init(answer: @escaping @Sendable ([UInt8]) throws(RequestError) -> [UInt8]) { self.answer = answer }

  func messageReceived(_ message: [UInt8], on call: any EdgeCall) {
    do {
      call.answer(try answer(message))
      call.end(EdgeStatus(.ok))
    } catch {
      call.end(error.status)
    }
  }

  /// Without effect when an answer was given: the first status counts.
  func inputEnded(of call: any EdgeCall) { call.end(EdgeStatus(.invalidArgument, "the call has no request")) }
  func closed(_ call: any EdgeCall, _ reason: EdgeCloseReason) {}
}

struct RequestError: Error {
  let status: EdgeStatus
  init(_ code: EdgeStatus.Code, _ message: String) { status = EdgeStatus(code, message) }
}

private func answerLocate(_ message: [UInt8], _ hub: SessionHub) throws(RequestError) -> [UInt8] {
  guard let request = try? Pushring_V1_LocateRequest(serializedBytes: message) else {
    throw RequestError(.invalidArgument, "the request is no pushring.v1.LocateRequest")
  }
  let user: UserID
  do { user = try UserID(request.userID) } catch { throw RequestError(.invalidArgument, error.message) }
  guard let view = hub.window?.current else {
    throw RequestError(.unavailable, "this pod knows no view of its cluster yet; ask another one, or again later")
  }
  let count = request.count == 0 ? 3 : min(Int(request.count), 100)
  var response = Pushring_V1_LocateResponse()
  response.pods = view.successors(ofUserHash: hub.hash(of: user), count: count).map {
    Pushring_V1_PodEndpoint($0.description)
  }
  response.view = Pushring_V1_ViewStamp(view.stamp)
  return encoded(response)
}
