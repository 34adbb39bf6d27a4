internal import GRPCCore
internal import Wire

/// `pushring.v1.Pushes` around a `Sender`.
struct PushesService: Pushring_V1_Pushes.SimpleServiceProtocol {
  let sender: Sender

  static let maximumUsers = 10_000

  func push(request: Pushring_V1_PushRequest, context: ServerContext) async throws -> Pushring_V1_PushResult {
    do throws(PushError) {
      return Pushring_V1_PushResult(try await sender.push(Push(request)))
    } catch {
      throw error.rpcError
    }
  }

  func pushMany(
    request: Pushring_V1_PushManyRequest, context: ServerContext
  ) async throws -> Pushring_V1_PushManyResponse {
    guard request.userIds.count <= Self.maximumUsers else {
      throw PushError(
        code: .invalidArgument,
        message: "\(request.userIds.count) users; at most \(Self.maximumUsers) are allowed in one call: make several"
      ).rpcError
    }
    let push = Push(request)
    // What is wrong with the message is wrong for all of them.
    do throws(PushError) { _ = try PreparedPush.message(of: push, sender.configuration) } catch {
      throw error.rpcError
    }
    let results = await sender.pushMany(push, to: request.userIds)
    var response = Pushring_V1_PushManyResponse()
    response.results = zip(request.userIds, results).map { Pushring_V1_PushResult(user: $0, $1) }
    return response
  }

  func pushStream(
    request: RPCAsyncSequence<Pushring_V1_PushStreamRequest, any Error>,
    response: RPCWriter<Pushring_V1_PushStreamResponse>, context: ServerContext
  ) async throws {
    let pushes = request.map { wire in
      (StreamTag(correlation: wire.correlation, user: wire.push.userID), Push(wire.push))
    }
    // Never more than the Sender's limit, and room for other callers beside this stream.
    let concurrency = max(1, min(1024, sender.configuration.maximumInFlight / 2))
    let answers = AnswerQueue(limit: concurrency)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await answers.write(to: response) }
      group.addTask {
        defer { answers.finish() }
        try await sender.push(each: pushes, concurrency: concurrency) { (tag: StreamTag, outcome) in
          var answer = Pushring_V1_PushStreamResponse()
          answer.correlation = tag.correlation
          answer.result = Pushring_V1_PushResult(user: tag.user, outcome)
          await answers.add(answer)
        }
      }
      while try await group.next() != nil {}
    }
  }
}

private struct StreamTag: Sendable {
  let correlation: UInt64
  let user: String
}
