internal import Foundation
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

// How a server lives and ends: SIGTERM or SIGINT asks its services to finish, the last listed first; a second signal asks
// them to hurry, and one that can't be hurried, or a third, ends the process at once. A service that can't go on takes the
// others down, and its error is the program's.

/// - Parameters:
///   - limit: how long finishing may take; then what is left is cancelled.
///   - hurry: what a second signal does.
func serve(
  _ services: [any Service], limit: Duration, logger: Logger, hurry: (@Sendable () -> Void)? = nil
) async throws {
  // Who reads our log may go away; that must not end the server.
  _ = signal(SIGPIPE, SIG_IGN)
  // Subscribed before anything is started, so that an early signal is obeyed too.
  let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
  var configuration = ServiceGroupConfiguration(
    services: services.map {
      .init(service: $0, successTerminationBehavior: .gracefullyShutdownGroup, failureTerminationBehavior: .cancelGroup)
    },
    logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() })
  configuration.maximumGracefulShutdownDuration = limit
  let group = ServiceGroup(configuration: configuration)
  let listener = Task { await obey(signals, group, logger, hurry) }
  defer { listener.cancel() }
  do {
    try await group.run()
  } catch is CancellationError {
    throw Failure("could not finish within \(limit); what was left was cut off")
  }
  logger.info("Stopped")
}

private func obey(
  _ signals: UnixSignalsSequence, _ group: ServiceGroup, _ logger: Logger, _ hurry: (@Sendable () -> Void)?
) async {
  var count = 0
  for await signal in signals {
    count += 1
    if count == 1 {
      logger.info("Shutting down", metadata: ["signal": "\(signal)"])
      await group.triggerGracefulShutdown()
    } else if count == 2, let hurry {
      logger.warning("Second signal: ending without waiting for clients", metadata: ["signal": "\(signal)"])
      hurry()
    } else {
      logger.warning("Another signal: ending at once", metadata: ["signal": "\(signal)"])
      exit(128 + signal.rawValue)
    }
  }
}

/// Something that runs until its task is cancelled, as a service.
struct Background: Service {
  let body: @Sendable () async throws -> Void

  init(_ body: @escaping @Sendable () async throws -> Void) { self.body = body }

  func run() async throws {
    do {
      try await cancelWhenGracefulShutdown(body)
    } catch is CancellationError {
      return
    }
  }
}
