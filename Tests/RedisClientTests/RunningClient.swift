import Foundation
import Logging
import TestServers
import Testing

@testable import RedisClient

let quiet: Logger = {
  var logger = Logger(label: "test")
  logger.logLevel = .critical
  return logger
}()

/// Instead of the default timeout of a command: these tests run at once, on few cores.
let patience = Duration.seconds(10)

/// Runs `body` with a client that is kept up meanwhile, and bounds the whole.
func withClient(
  _ configuration: RedisConfiguration, within limit: Duration = .seconds(30),
  _ body: @escaping @Sendable (RedisClient) async throws -> Void
) async throws {
  try await bounded(limit) {
    let client = RedisClient(configuration: configuration, logger: quiet)
    let running = Task { await client.run() }
    defer { running.cancel() }
    try await body(client)
    running.cancel()
    await running.value
  }
}

/// A server of its own and a client for it.
func withServer(
  _ options: RedisServer.Options = .init(), configure: (inout RedisConfiguration) -> Void = { _ in },
  _ body: @escaping @Sendable (RedisServer, RedisClient) async throws -> Void
) async throws {
  let server = try await RedisServer.start(options)
  var configuration = try RedisConfiguration(url: server.url)
  configuration.tlsCertificateAuthorityFile = server.certificates?.authority.path
  configuration.commandTimeout = patience
  configure(&configuration)
  try await withClient(configuration) { client in try await body(server, client) }
}

/// The error of a call that must fail.
func failure(_ call: () async throws(RedisError) -> RedisValue) async throws -> RedisError {
  let value: RedisValue
  do throws(RedisError) {
    value = try await call()
  } catch {
    return error
  }
  throw TestServerError("expected a failure, got \(value)")
}

func expect(
  _ client: RedisClient, _ command: RedisCommand, gives expected: RedisValue,
  sourceLocation: SourceLocation = #_sourceLocation
) async throws {
  let value = try await client.send(command)
  #expect(value == expected, sourceLocation: sourceLocation)
}

/// The error of a call that may fail.
func errorOf(_ client: RedisClient, _ command: RedisCommand) async -> RedisError? {
  do throws(RedisError) {
    _ = try await client.send(command)
    return nil
  } catch {
    return error
  }
}
