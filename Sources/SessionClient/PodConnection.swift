internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Wire

/// One connection to one pod, with at most one session stream on it.
///
/// Each session has a connection of its own, as a device has: its keep-alive then tells about this session's pod.
struct PodConnection: Sendable {
  typealias Transport = HTTP2ClientTransport.Posix

  enum Event: Sendable {
    case welcome(Pushring_V1_Welcome)
    case message(Pushring_V1_Message)
    case dropped(Pushring_V1_Dropped)
    case reconnect(Pushring_V1_Reconnect)
    /// The last one.
    case ended(StreamEnd)
  }

  /// The largest message that a pod can be configured to take (16 MiB), with its id and headers; the library has 4 MiB.
  private static let maximumFrameBytes = 17 * 1024 * 1024

  let endpoint: String
  private let keepAlive: HTTP2ClientTransport.Config.Keepalive

  init(endpoint: String, configuration: SessionClientConfiguration) {
    self.endpoint = endpoint
    keepAlive = .init(
      time: configuration.keepAliveInterval, timeout: configuration.keepAliveTimeout, allowWithoutCalls: true)
  }

  /// Owner first. Throws `StreamEnd`.
  func locate(user: String, timeout: Duration) async throws(StreamEnd) -> [String] {
    var options = CallOptions.defaults
    options.timeout = timeout
    do {
      return try await withGRPCClient(transport: transport()) { client in
        var request = Pushring_V1_LocateRequest()
        request.userID = user
        let answer = try await Pushring_V1_Sessions.Client(wrapping: client).locate(request, options: options)
        return answer.pods.map(\.endpoint)
      }
    } catch {
      throw StreamEnd(error, endpoint: endpoint)
    }
  }

  /// Opens the session; `onEvent` gets everything the pod sends. Returns how it ended, also when `outbound` finished
  /// (which closes the stream) or the task was cancelled.
  func connect(
    hello: Pushring_V1_Hello, outbound: AsyncStream<Pushring_V1_ClientFrame>,
    answer: AsyncStream<Pushring_V1_ClientFrame>.Continuation, onEvent: @escaping @Sendable (Event) -> Void
  ) async -> StreamEnd {
    var options = CallOptions.defaults
    options.maxResponseMessageBytes = Self.maximumFrameBytes
    // grpc-swift-nio-transport 2.9 takes the limit of what is received from this one.
    options.maxRequestMessageBytes = Self.maximumFrameBytes
    do {
      return try await withGRPCClient(transport: transport()) { [options] client in
        try await Pushring_V1_Sessions.Client(wrapping: client).connect(
          options: options,
          requestProducer: { writer in
            try await writer.write(.with { $0.hello = hello })
            for await frame in outbound { try await writer.write(frame) }
          },
          onResponse: { response in
            for try await frame in response.messages {
              switch frame.frame {
              case .welcome(let welcome): onEvent(.welcome(welcome))
              case .message(let message): onEvent(.message(message))
              case .dropped(let dropped): onEvent(.dropped(dropped))
              case .reconnect(let reconnect): onEvent(.reconnect(reconnect))
              case .ping(let ping): answer.yield(.with { $0.pong.nonce = ping.nonce })
              case .pong, nil: break
              }
            }
            return StreamEnd(code: 0, message: "the pod ended the stream")
          })
      }
    } catch {
      return StreamEnd(error, endpoint: endpoint)
    }
  }

  private func transport() throws -> Transport {
    let (host, port) = try split(endpoint)
    let config = Transport.Config.defaults {
      $0.connection.keepalive = keepAlive
      // A connection is used for one attempt; the plan above decides on the next.
      $0.backoff = .init(initial: .milliseconds(200), max: .seconds(2), multiplier: 1.6, jitter: 0.2)
    }
    return try Transport(target: target(host, port), transportSecurity: .plaintext, config: config)
  }
}

/// An address needs no resolver, whose threads are few.
private func target(_ host: String, _ port: Int) -> any ResolvableTarget {
  if host.contains(":") { return .ipv6(address: host, port: port) }
  if host.allSatisfy({ $0.isNumber || $0 == "." }) { return .ipv4(address: host, port: port) }
  return .dns(host: host, port: port)
}

/// "HOST:PORT" or "[IPv6]:PORT".
private func split(_ endpoint: String) throws -> (host: String, port: Int) {
  guard let colon = endpoint.lastIndex(of: ":"), let port = Int(endpoint[endpoint.index(after: colon)...]),
    (1...65_535).contains(port)
  else { throw RPCError(code: .unavailable, message: "\"\(endpoint)\" is not HOST:PORT") }
  let host = endpoint[..<colon]
  let isBracketed = host.hasPrefix("[") && host.hasSuffix("]")
  return (String(isBracketed ? host.dropFirst().dropLast() : host), port)
}

extension StreamEnd: Error {
  init(_ error: any Error, endpoint: String) {
    guard let error = error as? RPCError else {
      self.init(code: error is CancellationError ? 1 : 14, message: "\(endpoint): \(error)")
      return
    }
    let advice = error.code == .unimplemented ? "; this is no pod's session address (its --listen): give one" : ""
    let endpoints = error.metadata[stringValues: "pushring-endpoints"].flatMap { $0.split(separator: ",") }
    self.init(
      code: error.code.rawValue, message: "\(endpoint): \(error.message)\(advice)",
      reason: error.metadata[stringValues: "pushring-reason"].first { _ in true } ?? "",
      endpoints: endpoints.map { $0.filter { $0 != " " } })
  }
}

extension Pushring_V1_ClientFrame {
  static func with(_ fill: (inout Self) -> Void) -> Self {
    var frame = Self()
    fill(&frame)
    return frame
  }
}
