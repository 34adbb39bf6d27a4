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
      #expect(try await get(port, "/healthz") == Answer(status: 200, body: "ok\n"))
      #expect(try await get(port, "/readyz") == Answer(status: 503, body: "not ready: no view yet\n"))
      reason.withLock { $0 = nil }
      #expect(try await get(port, "/readyz") == Answer(status: 200, body: "ready\n"))
      #expect(try await get(port, "/metrics") == Answer(status: 200, body: "# TYPE c_total counter\nc_total 4\n"))
      #expect(try await get(port, "/secrets").status == 404)
    }
  }

  @Test func aPortInUseIsAnErrorThatNamesPortAndFlag() async throws {
    try await withServer(MetricRegistry(), { nil }) { port in
      let second = server(port: port, MetricRegistry(), { nil })
      let error = await #expect(throws: ListenError.self) { try await second.run() }
      #expect(error?.description.contains("127.0.0.1:\(port): the port is in use") == true)
      #expect(error?.description.contains("--admin-listen") == true)
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

  private struct Answer: Equatable {
    let status: Int
    let body: String
  }

  private func get(_ port: Int, _ path: String) async throws -> Answer {
    let session = URLSession(configuration: .ephemeral)
    let url = try #require(URL(string: "http://127.0.0.1:\(port)\(path)"))
    let (data, response) = try await session.data(from: url)
    return Answer(
      status: (response as? HTTPURLResponse)?.statusCode ?? 0, body: String(decoding: data, as: UTF8.self))
  }
}
