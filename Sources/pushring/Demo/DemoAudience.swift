internal import Logging
internal import SessionClient
internal import Synchronization

/// The devices: real clients, each with a connection of its own, and what each has seen.
final class DemoAudience: Sendable {
  struct Seat: Sendable, Hashable {
    let user: String
    let session: String
    /// Where it is now; nil while it has no session.
    var pod: String?
    var received = 0
    var ended: String?
  }

  private struct State {
    var seats: [Seat] = []
    var clients: [Task<Void, Never>] = []
  }

  private let state = Mutex(State())
  private let logger: Logger

  init(logger: Logger) { self.logger = logger }

  var seats: [Seat] { state.withLock { $0.seats } }

  /// - Parameter stays: connects to the endpoints in order, without asking where it belongs.
  func enter(user: String, session: String, endpoints: [String], stays: Bool) {
    var configuration = SessionClientConfiguration(endpoints: endpoints, user: user, session: session)
    configuration.staysAtEndpoints = stays
    configuration.backoff.maximum = .seconds(2)
    let client = SessionClient(configuration: configuration, logger: logger)
    state.withLock { state in
      let number = state.seats.count
      state.seats.append(Seat(user: user, session: session))
      state.clients.append(
        Task {
          async let reason = client.run()
          for await event in client.events { self.saw(event, seat: number) }
          _ = await reason
        })
    }
  }

  func leave() async {
    let clients = state.withLock { $0.clients }
    clients.forEach { $0.cancel() }
    for client in clients { await client.value }
  }

  private func saw(_ event: SessionEvent, seat: Int) {
    state.withLock { state in
      switch event {
      case .welcomed(let welcome): state.seats[seat].pod = welcome.pod
      case .message: state.seats[seat].received += 1
      case .missed, .moving: break
      case .reconnecting: state.seats[seat].pod = nil
      case .ended(let reason):
        state.seats[seat].pod = nil
        state.seats[seat].ended = reason.description
      }
    }
  }
}
