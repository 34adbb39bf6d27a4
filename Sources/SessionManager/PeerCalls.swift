/// Calls other pods, one connection each, opened when first needed.
///
/// A call is bounded in time. When it fails, the pod's address is tried: an address that refuses connections, or where
/// another incarnation answers, proves the process gone, since a pod listens from before it joins until all its streams
/// are closed. That holds for the pod's own address only, which a name is not: it may lead elsewhere by now.
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import Logging
internal import NIOCore
internal import NIOPosix
internal import Placement
internal import Synchronization
internal import Wire

final class PeerCalls: Sendable {
  private let logger: Logger
  private let connections = Mutex<[Incarnation: Connection]>([:])

  static let timeout = Duration.milliseconds(800)

  enum Answer: Sendable {
    case answered(Pushring_V1_StrayReceipt)
    /// The process that had this incarnation is proven gone.
    case gone
    case silent(String)
  }

  private struct Connection {
    let client: GRPCClient<HTTP2ClientTransport.Posix>
    let running: Task<Void, Never>
  }

  init(logger: Logger) { self.logger = logger }

  func record(_ report: Pushring_V1_StrayReport, at member: Member) async -> Answer {
    let reason: String
    do {
      var options = CallOptions.defaults
      options.waitForReady = false
      options.timeout = Self.timeout
      let client = try connection(to: member)
      let receipt = try await Pushring_V1_Placement.Client(wrapping: client).record(report, options: options)
      if receipt.owner == member.incarnation.rawValue { return .answered(receipt) }
      reason = "incarnation \(receipt.owner) answers at its address"
      if isLiteral(member), receipt.owner != 0 { return gone(member, reason) }
    } catch let error as RPCError {
      reason = error.cause.map { "\(error.message) (\($0))" } ?? error.message
    } catch {
      reason = "\(error)"
    }
    close(member.incarnation)
    if await isRefused(member) { return gone(member, "its address refuses connections") }
    return .silent(reason)
  }

  /// Nil when the target did not answer in time, or another process did.
  func offer(_ offer: Pushring_V1_MoveOffer, at member: Member) async -> Pushring_V1_MoveGrant? {
    var options = CallOptions.defaults
    options.waitForReady = false
    options.timeout = Self.timeout
    do {
      let client = try connection(to: member)
      let grant = try await Pushring_V1_Moves.Client(wrapping: client).offer(offer, options: options)
      if grant.target == offer.target { return grant }
    } catch {
      logger.debug(
        "A pod was offered sessions and did not answer",
        metadata: ["peer.pod.id": "\(member.podID)", "error": "\(error)"])
    }
    close(member.incarnation)
    return nil
  }

  /// Closes the connections to all but these.
  func keep(_ members: Set<Incarnation>) {
    for incarnation in connections.withLock({ Array($0.keys) }) where !members.contains(incarnation) {
      close(incarnation)
    }
  }

  func closeAll() { keep([]) }

  private func gone(_ member: Member, _ reason: String) -> Answer {
    close(member.incarnation)
    logger.info(
      "A pod is proven gone",
      metadata: [
        "peer.pod.id": "\(member.podID)", "peer.incarnation": "\(member.incarnation)",
        "peer.address": "\(member.description.peerEndpoint)", "reason": "\(reason)",
      ])
    return .gone
  }

  private func connection(to member: Member) throws -> GRPCClient<HTTP2ClientTransport.Posix> {
    if let known = connections.withLock({ $0[member.incarnation] }) { return known.client }
    let address = try PeerAddress(member.description.peerEndpoint)
    let client = GRPCClient(
      transport: try HTTP2ClientTransport.Posix(
        target: address.target, transportSecurity: .plaintext,
        config: .defaults { config in
          config.backoff.initial = .seconds(60)
          config.connection.maxIdleTime = nil
          config.connection.keepalive = .init(time: .seconds(10), timeout: .seconds(3), allowWithoutCalls: true)
        }))
    // Unstructured, and ended by `close`, or by the connection's own end.
    let running = Task { _ = try? await client.runConnections() }
    let isFirst = connections.withLock { connections in
      guard connections[member.incarnation] == nil else { return false }
      connections[member.incarnation] = Connection(client: client, running: running)
      return true
    }
    if !isFirst { running.cancel() }
    return client
  }

  func close(_ incarnation: Incarnation) {
    connections.withLock { $0.removeValue(forKey: incarnation) }?.running.cancel()
  }

  private func isLiteral(_ member: Member) -> Bool {
    guard let address = try? PeerAddress(member.description.peerEndpoint) else { return false }
    return (try? NIOCore.SocketAddress(ipAddress: address.bareHost, port: address.port)) != nil
  }

  private func isRefused(_ member: Member) async -> Bool {
    guard let address = try? PeerAddress(member.description.peerEndpoint),
      let socket = try? NIOCore.SocketAddress(ipAddress: address.bareHost, port: address.port)
    else { return false }
    do {
      let channel = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
        .connectTimeout(.milliseconds(500)).connect(to: socket).get()
      channel.close(promise: nil)
      return false
    } catch let error as IOError {
      return error.errnoCode == ECONNREFUSED
    } catch {
      return false
    }
  }
}
