/// The standard gRPC health service, on the session edge and on the peer server.
internal import GRPCCore
internal import SessionEdge
internal import SwiftProtobuf
internal import Wire

/// The names that may be asked for: the server as a whole, and our services.
private let servedNames: Set<String> = ["", "pushring.v1.Sessions", "pushring.v1.Delivery"]

private func status(_ isReady: Bool) -> Grpc_Health_V1_HealthCheckResponse {
  var response = Grpc_Health_V1_HealthCheckResponse()
  response.status = isReady ? .serving : .notServing
  return response
}

private let unknownService: Grpc_Health_V1_HealthCheckResponse = {
  var response = Grpc_Health_V1_HealthCheckResponse()
  response.status = .serviceUnknown
  return response
}()

// MARK: - On the session edge

func checkHealth(_ message: [UInt8], _ readiness: Readiness) throws(RequestError) -> [UInt8] {
  guard let request = try? Grpc_Health_V1_HealthCheckRequest(serializedBytes: message) else {
    throw RequestError(.invalidArgument, "the request is no grpc.health.v1.HealthCheckRequest")
  }
  guard servedNames.contains(request.service) else {
    throw RequestError(.notFound, "there is no service \(request.service) here")
  }
  return encoded(status(readiness.isReady))
}

/// Tells one call each change until its client goes or the pod stops.
final class WatchHealthHandler: EdgeCallHandler {
  private let readiness: Readiness
  private let watch = OneShot<Task<Void, Never>>()

  init(_ readiness: Readiness) { self.readiness = readiness }

  func messageReceived(_ message: [UInt8], on call: any EdgeCall) {
    guard let request = try? Grpc_Health_V1_HealthCheckRequest(serializedBytes: message) else {
      return call.end(EdgeStatus(.invalidArgument, "the request is no grpc.health.v1.HealthCheckRequest"))
    }
    let isServed = servedNames.contains(request.service)
    watch.succeed(
      Task { [readiness] in
        guard isServed else { return call.answer(encoded(unknownService)) }
        var isFirst = true
        await readiness.watch { isReady in
          defer { isFirst = false }
          let message = encoded(status(isReady))
          guard !isFirst else { return call.answer(message) }
          // Who does not read gets the last one, when it reads.
          call.queue(message, displacingBeyond: 0)?.wake()
        }
        if !Task.isCancelled { call.end(EdgeStatus(.unavailable, "the pod is stopping")) }
      })
  }

  func inputEnded(of call: any EdgeCall) {}
  func closed(_ call: any EdgeCall, _ reason: EdgeCloseReason) { watch.result?.cancel() }
}

// MARK: - On the peer server

struct PeerHealth: Grpc_Health_V1_Health.SimpleServiceProtocol {
  let readiness: Readiness

  func check(
    request: Grpc_Health_V1_HealthCheckRequest, context: ServerContext
  ) async throws -> Grpc_Health_V1_HealthCheckResponse {
    guard servedNames.contains(request.service) else {
      throw RPCError(code: .notFound, message: "there is no service \(request.service) here")
    }
    return status(readiness.isReady)
  }

  func watch(
    request: Grpc_Health_V1_HealthCheckRequest, response: RPCWriter<Grpc_Health_V1_HealthCheckResponse>,
    context: ServerContext
  ) async throws {
    guard servedNames.contains(request.service) else { return try await response.write(unknownService) }
    // Without this, a watcher that goes while nothing changes would never be noticed.
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await context.cancellation.cancelled }
      group.addTask {
        try await readiness.watch { try await response.write(status($0)) }
      }
      try await group.next()
      group.cancelAll()
    }
  }
}
