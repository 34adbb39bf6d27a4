import CoreMetrics
import Foundation
import Logging
import Synchronization
import Testing

@testable import Observability

#if canImport(FoundationNetworking)
import FoundationNetworking
#endif

struct AdministrationServerTests {
  @Test func readinessFollowsTheReasonAndMetricsAreServed() async throws {
    let registry = MetricRegistry()
    registry.makeCounter(label: "c", dimensions: []).increment(by: 4)
    let reason = Mutex<String?>("no view yet")
    try await withServer(registry, { reason.withLock { $0 } }) { port in
      try await expect(port, "/healthz", 200, "ok\n")
      try await expect(port, "/readyz", 503, "not ready: no view yet\n")
      reason.withLock { $0 = nil }
      try await expect(port, "/readyz", 200, "ready\n")
      try await expect(port, "/metrics", 200, "# TYPE c_total counter\nc_total 4\n")
      try await expect(port, "/secrets", 404, nil)
    }
  }

  @Test func aPortInUseIsAnErrorThatNamesPortAndFlag() async throws {
    try await withServer(MetricRegistry(), { nil }) { port in
      let second = server(port: port, MetricRegistry(), { nil })
      let error = await #expect(throws: ListenError.self) { try await second.run() }
      #expect(error?.description.contains("127.0.0.1:\(port) (--admin-listen): the port is in use") == true)
    }
  }

  private func server(
    port: Int, _ registry: MetricRegistry, _ reason: @escaping @Sendable () -> String?
  ) -> AdministrationServer {
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    return AdministrationServer(
      host: "127.0.0.1", port: port, registry: registry, notReadyReason: reason, logger: logger)
  }

  private func withServer(
    _ registry: MetricRegistry, _ reason: @escaping @Sendable () -> String?,
    _ body: (Int) async throws -> Void
  ) async throws {
    let server = server(port: 0, registry, reason)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await server.run() }
      let port = try #require(await server.boundPort())
      try await body(port)
      group.cancelAll()
    }
  }

  private func expect(_ port: Int, _ path: String, _ status: Int, _ body: String?) async throws {
    let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
    let (data, response) = try await URLSession(configuration: .ephemeral).data(from: url)
    #expect((response as? HTTPURLResponse)?.statusCode == status, "\(path)")
    if let body { #expect(String(decoding: data, as: UTF8.self) == body, "\(path)") }
  }
}
