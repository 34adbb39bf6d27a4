package import GRPCCore
package import GRPCNIOTransportHTTP2Posix
public import Placement
internal import Synchronization
package import Wire

/// Asks all pods at once, each within a time of its own: who is dead or silent costs no more than that, and is named.
///
/// What counts is that a pod goes on answering: an answer in many parts may take longer, as long as none of them is late.
public struct Fleet: Sendable {
  public let members: [Member]
  private let timeout: Duration
  private let known: [Silence]

  /// At a time; a thousand pods are asked in a few rounds.
  private static let concurrency = 64
  /// Of an answer in parts, all told.
  private static let longest = Duration.seconds(120)

  /// - Parameters:
  ///   - timeout: for each pod, until it answers, and for each further part of its answer.
  ///   - silent: from an earlier look: they are not waited for again.
  public init(_ members: [Member], timeout: Duration = .seconds(2), silent: [Silence] = []) {
    let skipped = Set(silent.map(\.incarnation))
    known = silent.filter { silence in members.contains { $0.incarnation.rawValue == silence.incarnation } }
    self.members = members.filter { !skipped.contains($0.incarnation.rawValue) }
    self.timeout = timeout
  }

  /// A member that gave no answer, and why.
  public struct Silence: Hashable, Sendable, Encodable {
    public let pod: String
    public let incarnation: UInt64
    public let reason: String

    public init(pod: String, incarnation: UInt64, reason: String) {
      self.pod = pod
      self.incarnation = incarnation
      self.reason = reason
    }
  }

  package struct Answers<Answer: Sendable>: Sendable {
    package var answers: [(member: Member, answer: Answer)] = []
    package var silent: [Silence] = []
  }

  package typealias Client = Pushring_V1_Operations.Client<HTTP2ClientTransport.Posix>
  package typealias Call<Answer> = @Sendable (Client, CallOptions) async throws -> Answer
  /// To be told of each part of the answer.
  package typealias CallInParts<Answer> = @Sendable (Client, CallOptions, AnswerProgress) async throws -> Answer

  /// Members whose processes answer at their addresses.
  public func whoAnswers() async -> Set<Incarnation> {
    var request = Pushring_V1_UserSessionsRequest()
    request.userID = "-"
    let asked = await ask(incarnation: \.incarnation) { [request] client, options in
      try await client.userSessions(request, options: options)
    }
    return Set(asked.answers.map(\.member.incarnation))
  }

  /// - Parameter incarnation: read from an answer: one of another process than the member that was asked is no answer.
  package func ask<Answer: Sendable>(
    incarnation: @escaping @Sendable (Answer) -> UInt64, _ call: @escaping Call<Answer>
  ) async -> Answers<Answer> {
    await ask(incarnation: incarnation) { _, client, options, _ in try await call(client, options) }
  }

  /// - Parameter call: knows whom it asks.
  package func ask<Answer: Sendable>(
    incarnation: @escaping @Sendable (Answer) -> UInt64,
    _ call: @escaping @Sendable (Member, Client, CallOptions, AnswerProgress) async throws -> Answer
  ) async -> Answers<Answer> {
    await withTaskGroup(of: (Member, Result<Answer, FleetError>).self) { group in
      var answers = Answers<Answer>(silent: known)
      func note(_ member: Member, _ result: Result<Answer, FleetError>) {
        switch result {
        case .success(let answer): answers.answers.append((member, answer))
        case .failure(let error):
          answers.silent.append(
            Silence(pod: member.podID, incarnation: member.incarnation.rawValue, reason: error.reason))
        }
      }
      for (index, member) in members.enumerated() {
        if index >= Self.concurrency, let (member, result) = await group.next() { note(member, result) }
        group.addTask { (member, await ask(member, incarnation) { try await call(member, $0, $1, $2) }) }
      }
      for await (member, result) in group { note(member, result) }
      answers.answers.sort { $0.member.incarnation < $1.member.incarnation }
      answers.silent.sort { $0.incarnation < $1.incarnation }
      return answers
    }
  }

  private func ask<Answer: Sendable>(
    _ member: Member, _ incarnation: @Sendable (Answer) -> UInt64, _ call: @escaping CallInParts<Answer>
  ) async -> Result<Answer, FleetError> {
    let address = member.description.peerEndpoint
    do {
      let answer = try await watched { progress in
        var options = CallOptions.defaults
        options.timeout = Self.longest
        options.waitForReady = false
        let transport = try HTTP2ClientTransport.Posix(
          target: try PeerAddress(address).target, transportSecurity: .plaintext,
          config: .defaults { $0.backoff.initial = .seconds(60) })
        return try await withGRPCClient(transport: transport) { [options] client in
          try await call(Client(wrapping: client), options, progress)
        }
      }
      let answering = incarnation(answer)
      guard answering == member.incarnation.rawValue else {
        let who = answering == 0 ? "a process that is no member" : "incarnation \(answering)"
        return .failure(FleetError(reason: "\(who) answers at \(address)"))
      }
      return .success(answer)
    } catch let error as FleetError {
      return .failure(FleetError(reason: "\(address): \(error.reason)"))
    } catch let error as RPCError {
      let cause = error.cause.map { " (\($0))" } ?? ""
      return .failure(FleetError(reason: "\(address): \(error.message)\(cause)"))
    } catch {
      return .failure(FleetError(reason: "\(address): \(error)"))
    }
  }

  /// Ends when the call does, or when nothing has come for the time-out. A peer that is stopped does not even take part in
  /// the end of a connection: then the call is left behind, and ends with the program.
  private func watched<Answer: Sendable>(_ call: @escaping @Sendable (AnswerProgress) async throws -> Answer)
    async throws
    -> Answer
  {
    let progress = AnswerProgress()
    let (results, continuation) = AsyncStream.makeStream(of: Result<Answer, any Error>.self)
    let calling = Task {
      do { continuation.yield(.success(try await call(progress))) } catch { continuation.yield(.failure(error)) }
    }
    let watching = Task {
      while case let left = timeout - progress.sinceLast, left > .zero { try await Task.sleep(for: left) }
      continuation.yield(.failure(FleetError(reason: "no answer within \(timeout.components.seconds) s")))
    }
    defer {
      calling.cancel()
      watching.cancel()
    }
    for await result in results { return try result.get() }
    throw CancellationError()
  }
}

/// When a pod was last heard of.
package final class AnswerProgress: Sendable {
  private let last = Mutex(ContinuousClock.now)

  /// Another part of the answer has come.
  package func made() { last.withLock { $0 = .now } }

  fileprivate var sinceLast: Duration { last.withLock { $0.duration(to: .now) } }
}

private struct FleetError: Error {
  let reason: String
}
