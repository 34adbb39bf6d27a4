import EpollSessionEdge
import Logging
import SessionEdge
import TestCalls
import TestServers

/// An edge with the echo application, on a free port, for as long as `body` runs.
func withEdge(
  _ change: (inout EdgeConfiguration) -> Void = { _ in },
  _ body: @escaping @Sendable (String, EchoApplication, EpollSessionEdge) async throws -> Void
) async throws {
  var configuration = EdgeConfiguration(host: "127.0.0.1", port: 0)
  change(&configuration)
  var logger = Logger(label: "edge")
  logger.logLevel = .critical
  let edge = EpollSessionEdge(configuration: configuration, logger: logger)
  let application = EchoApplication()
  let running = Task { try await edge.run(application) }
  do {
    try await body(try await bounded { try await edge.address() }, application, edge)
  } catch {
    await edge.stop(deadline: .zero)
    throw error
  }
  await edge.stop(deadline: .zero)
  try await bounded(.seconds(10), "the end of the edge") { try await running.value }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }
