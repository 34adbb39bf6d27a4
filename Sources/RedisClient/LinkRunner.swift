import NIOCore
import NIOPosix

/// What a connection is kept up for.
protocol LinkOwner: Sendable {
  /// Makes the transition in the owner's state machine.
  func connectStarted()
  func connectionMade()
  /// The connection is greeted: use it. Returns when it is closed, with the reason.
  /// - Parameter runID: of the server's process, if known.
  func serve(_ connection: RedisConnection, runID: String?) async -> RedisError
  /// Returns how long to wait before the next attempt.
  func connectionLost(_ error: RedisError) -> Duration
  func stopped(_ error: RedisError)
}

/// The shell around `LinkStateMachine`: connects, greets, hands over, and again, until its task is cancelled.
struct LinkRunner {
  let configuration: RedisConfiguration
  let eventLoop: any EventLoop

  func run(_ owner: some LinkOwner) async {
    while !Task.isCancelled {
      let error = await attempt(owner)
      if Task.isCancelled { break }
      // Throws only when cancelled, which ends the loop.
      try? await Task.sleep(for: owner.connectionLost(error))
    }
    owner.stopped(
      RedisError(code: .unavailable, message: "\(configuration.address): this client was stopped", mayHaveRun: false))
  }

  private func attempt(_ owner: some LinkOwner) async -> RedisError {
    owner.connectStarted()
    do throws(RedisError) {
      let connection = try await RedisConnection.open(configuration, on: eventLoop)
      owner.connectionMade()
      let runID: String?
      do throws(RedisError) {
        runID = try await connection.greet()
      } catch {
        connection.close("the greeting failed: \(error.message)")
        _ = await connection.closed()
        return error
      }
      return await owner.serve(connection, runID: runID)
    } catch {
      return error
    }
  }
}
