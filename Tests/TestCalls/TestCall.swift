/// gRPC calls for tests, as bytes: every kind of call is a stream of messages in and out. Reads only when asked to, so
/// that a test can be a client that does not read.
public import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import SessionEdge
internal import Synchronization
internal import TestServers

/// One connection.
public final class TestClient: Sendable {
  private let client: GRPCClient<HTTP2ClientTransport.Posix>
  private let running: Task<Void, any Error>

  /// - Parameter address: "127.0.0.1:PORT".
  public init(_ address: String) throws {
    let parts = address.split(separator: ":")
    guard parts.count == 2, let port = Int(parts[1]) else { throw TestCallError("\(address) is no HOST:PORT") }
    let client = GRPCClient(
      transport: try HTTP2ClientTransport.Posix(
        target: .ipv4(address: String(parts[0]), port: port), transportSecurity: .plaintext))
    self.client = client
    running = Task { try await client.runConnections() }
  }

  /// - Parameter method: "package.Service/Method".
  public func call(_ method: String) -> TestCall { TestCall(client, method) }

  /// Cuts the connection with all its calls.
  public func close() async {
    running.cancel()
    _ = await running.result
  }

  deinit { running.cancel() }
}

public struct TestStatus: Sendable, Hashable {
  public let code: RPCError.Code?
  public let message: String
  public let trailers: [String: String]

  /// No error.
  public var isOK: Bool { code == nil }
}

public struct TestCallError: Error, CustomStringConvertible {
  public let description: String
  init(_ description: String) { self.description = description }
}

public final class TestCall: Sendable {
  private let outgoing = AsyncStream.makeStream(of: [UInt8].self)
  private let demand = AsyncStream.makeStream(of: Void.self)
  private let incoming = AsyncStream.makeStream(of: [UInt8].self)
  private let ended = OneShot<TestStatus>()
  private let task = Mutex<Task<Void, Never>?>(nil)

  init(_ client: GRPCClient<HTTP2ClientTransport.Posix>, _ method: String) {
    let parts = method.split(separator: "/").map(String.init)
    let descriptor = MethodDescriptor(fullyQualifiedService: parts[0], method: parts[1])
    let running = Task { [self] in
      self.ended.succeed(await self.run(client, descriptor))
      self.incoming.continuation.finish()
    }
    task.withLock { $0 = running }
  }

  private func run(_ client: GRPCClient<HTTP2ClientTransport.Posix>, _ method: MethodDescriptor) async -> TestStatus {
    let request = StreamingClientRequest<[UInt8]> { [outgoing] writer in
      for await message in outgoing.stream { try await writer.write(message) }
    }
    do {
      let trailers = try await client.bidirectionalStreaming(
        request: request, descriptor: method, serializer: Bytes(), deserializer: Bytes(), options: .defaults
      ) { response in try await self.read(response) }
      return TestStatus(code: nil, message: "", trailers: strings(trailers))
    } catch let error as RPCError {
      return TestStatus(code: error.code, message: error.message, trailers: strings(error.metadata))
    } catch {
      return TestStatus(code: .unknown, message: "\(error)", trailers: [:])
    }
  }

  private func read(_ response: StreamingClientResponse<[UInt8]>) async throws -> Metadata {
    var parts = try response.accepted.get().bodyParts.makeAsyncIterator()
    var trailers = Metadata()
    for await _ in demand.stream {
      guard let message = try await next(&parts, &trailers) else { return trailers }
      incoming.continuation.yield(message)
    }
    return trailers
  }

  private func next(
    _ parts: inout RPCAsyncSequence<StreamingClientResponse<[UInt8]>.Contents.BodyPart, any Error>.AsyncIterator,
    _ trailers: inout Metadata
  ) async throws -> [UInt8]? {
    while let part = try await parts.next() {
      switch part {
      case .message(let message): return message
      case .trailingMetadata(let metadata): trailers = metadata
      }
    }
    return nil
  }

  // MARK: For the test

  public func send(_ message: [UInt8]) { outgoing.continuation.yield(message) }

  /// Half-closes.
  public func finish() { outgoing.continuation.finish() }

  public func cancel() { task.withLock { $0 }?.cancel() }

  /// The next message; nil when the call ended. One caller at a time.
  public func next(within limit: Duration = .seconds(10)) async throws -> [UInt8]? {
    demand.continuation.yield()
    return try await bounded(limit, "the next message") {
      var iterator = self.incoming.stream.makeAsyncIterator()
      return await iterator.next()
    }
  }

  /// Reads to the end.
  public func status(within limit: Duration = .seconds(10)) async throws -> TestStatus {
    let end = ContinuousClock.now.advanced(by: limit)
    while try await next(within: ContinuousClock.now.duration(to: end)) != nil {}
    return try await bounded(.seconds(1), "the status") { try await self.ended.value() }
  }
}

private func strings(_ metadata: Metadata) -> [String: String] {
  Dictionary(metadata.map { ($0.key, $0.value.encoded()) }, uniquingKeysWith: { first, _ in first })
}

private struct Bytes: MessageSerializer, MessageDeserializer {
  func serialize<Buffer: GRPCContiguousBytes>(_ message: [UInt8]) throws -> Buffer { Buffer(message) }

  func deserialize<Buffer: GRPCContiguousBytes>(_ buffer: Buffer) throws -> [UInt8] {
    buffer.withUnsafeBytes { Array($0) }
  }
}
