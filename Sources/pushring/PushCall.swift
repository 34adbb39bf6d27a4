internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Settings
internal import Wire

typealias PushClient = Pushring_V1_Pushes.Client<HTTP2ClientTransport.Posix>

/// One push over a connection of its own.
func push(_ request: Pushring_V1_PushRequest, through address: HostAndPort, timeout: Duration) async throws
  -> Pushring_V1_PushResult
{
  try await withPushClient(address) { client in
    try await push(request, with: client, at: address, timeout: timeout)
  }
}

func withPushClient<Value: Sendable>(_ address: HostAndPort, _ body: (PushClient) async throws -> Value) async throws
  -> Value
{
  let transport = try HTTP2ClientTransport.Posix(target: target(address), transportSecurity: .plaintext)
  return try await withGRPCClient(transport: transport) { try await body(PushClient(wrapping: $0)) }
}

/// An address needs no resolver, whose threads are few.
func target(_ address: HostAndPort) -> any ResolvableTarget {
  if address.host.contains(":") { return .ipv6(address: address.host, port: address.port) }
  if address.host.allSatisfy({ $0.isNumber || $0 == "." }) { return .ipv4(address: address.host, port: address.port) }
  return .dns(host: address.host, port: address.port)
}

func push(
  _ request: Pushring_V1_PushRequest, with client: PushClient, at address: HostAndPort, timeout: Duration
) async throws -> Pushring_V1_PushResult {
  var options = CallOptions.defaults
  // The Sender answers within the push's own time-out; the margin is for the way.
  options.timeout = timeout + .seconds(2)
  options.waitForReady = false
  do {
    return try await client.push(request, options: options)
  } catch let error as RPCError {
    throw Failure(explanation(of: error, address))
  }
}

private func explanation(of error: RPCError, _ address: HostAndPort) -> String {
  // The Sender's own words say what to do.
  if error.metadata[stringValues: "pushring-refused"].contains(where: { _ in true }) {
    return "the Sender at \(address) refused the push: \(error.message)"
  }
  let message = error.message.hasSuffix(".") ? String(error.message.dropLast()) : error.message
  return switch error.code {
  case .unavailable: "the Sender at \(address) is not available: \(message); is it running there (--sender)?"
  case .deadlineExceeded: "the Sender at \(address) did not answer in time; the message may or may not have arrived"
  case .resourceExhausted: "the Sender at \(address) has too many pushes under way; nothing was delivered, try again"
  default: "the Sender at \(address) refused the push: \(error.message)"
  }
}
