internal import GRPCCore
internal import Wire

/// The standard gRPC health service: serving while pushes are possible.
struct SenderHealth: Grpc_Health_V1_Health.SimpleServiceProtocol {
  let sender: Sender

  private static let servedNames: Set<String> = ["", "pushring.v1.Pushes"]
  /// A watcher hears of a change this much later at the most.
  private static let watchInterval = Duration.milliseconds(500)

  func check(
    request: Grpc_Health_V1_HealthCheckRequest, context: ServerContext
  ) async throws -> Grpc_Health_V1_HealthCheckResponse {
    guard Self.servedNames.contains(request.service) else {
      throw RPCError(code: .notFound, message: "there is no service \(request.service) here")
    }
    return response(status)
  }

  func watch(
    request: Grpc_Health_V1_HealthCheckRequest, response writer: RPCWriter<Grpc_Health_V1_HealthCheckResponse>,
    context: ServerContext
  ) async throws {
    guard Self.servedNames.contains(request.service) else { return try await writer.write(response(.serviceUnknown)) }
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await context.cancellation.cancelled }
      group.addTask { try await self.writeChanges(to: writer) }
      try await group.next()
      group.cancelAll()
    }
  }

  private func writeChanges(to writer: RPCWriter<Grpc_Health_V1_HealthCheckResponse>) async throws {
    var last: Grpc_Health_V1_HealthCheckResponse.ServingStatus?
    while true {
      let now = status
      if now != last { try await writer.write(response(now)) }
      last = now
      try await Task.sleep(for: Self.watchInterval)
    }
  }

  private var status: Grpc_Health_V1_HealthCheckResponse.ServingStatus {
    sender.notReadyReason == nil ? .serving : .notServing
  }

  private func response(_ status: Grpc_Health_V1_HealthCheckResponse.ServingStatus)
    -> Grpc_Health_V1_HealthCheckResponse
  {
    var response = Grpc_Health_V1_HealthCheckResponse()
    response.status = status
    return response
  }
}
