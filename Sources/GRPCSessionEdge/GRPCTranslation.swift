/// Between the edge's words and grpc-swift's.
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import GRPCServing
internal import NIOCore
internal import SessionEdge

struct BytesSerializer: MessageSerializer {
  func serialize<Bytes: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Bytes { Bytes(message) }
}

struct BytesDeserializer: MessageDeserializer {
  func deserialize<Bytes: GRPCContiguousBytes>(_ serializedMessageBytes: Bytes) throws -> [UInt8] {
    serializedMessageBytes.withUnsafeBytes { Array($0) }
  }
}

extension StreamingServerRequest {
  /// Binary values are given as base 64, as they are on the wire.
  var textMetadata: [(String, String)] { metadata.map { ($0.key, $0.value.encoded()) } }

  var hasDeadline: Bool { metadata[stringValues: "grpc-timeout"].contains { _ in true } }
}

extension Metadata {
  init(trailers: [String: String]) {
    self.init()
    for (key, value) in trailers { addString(value, forKey: key) }
  }
}

extension RPCError {
  init(_ status: EdgeStatus) {
    let code = Status.Code(rawValue: status.code.rawValue).flatMap(RPCError.Code.init) ?? .unknown
    self.init(code: code, message: status.message, metadata: Metadata(trailers: status.trailers))
  }
}

/// "ipv4:127.0.0.1:4711" without the kind.
func peerAddress(_ remotePeer: String) -> String {
  for kind in ["ipv4:", "ipv6:"] where remotePeer.hasPrefix(kind) { return String(remotePeer.dropFirst(kind.count)) }
  return remotePeer
}

func transportConfiguration(
  _ edge: EdgeConfiguration, _ connections: ServerChannels
) -> HTTP2ServerTransport.Posix.Config {
  .defaults { config in
    // Without a figure the library enforces 100, and tells nobody: the 101st call ends the connection with all the others.
    // A proxy in front may bring all its sessions on one connection.
    config.http2.maxConcurrentStreams = 1_000_000
    // Above this the library resets the stream without a status; between this and ours, the edge gives one.
    config.rpc.maxRequestPayloadSize = max(edge.maximumReceivedMessageBytes * 4, 1 << 20)
    let silenceLimit = edge.keepAliveInterval + edge.keepAliveTimeout
    connections.watch(&config) { SilenceHandler.add(to: $0, limit: silenceLimit) }
    config.connection.keepalive.time = edge.keepAliveInterval
    config.connection.keepalive.timeout = edge.keepAliveTimeout
    // Devices behind NATs ping as often as they need to.
    config.connection.keepalive.clientBehavior.allowWithoutCalls = true
    config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls = .seconds(1)
  }
}
