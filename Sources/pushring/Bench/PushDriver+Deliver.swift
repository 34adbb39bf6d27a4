internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2Posix
internal import LoadClient
internal import Settings
internal import Synchronization
internal import Wire

/// Pushes without a Sender: what a Sender would send to a pod, in batches. So the pod is what is measured: from a decoded
/// request to the bytes on the client's socket.
extension PushDriver {
  /// A pod and the users that live there.
  struct PodPart: Sendable {
    let address: HostAndPort
    let users: [Int]
  }

  func deliver() async throws {
    try await withThrowingDiscardingTaskGroup { group in
      for (index, pod) in plan.pods.enumerated() where !pod.users.isEmpty {
        group.addTask { try await self.deliver(to: pod, seed: self.plan.seed &+ UInt64(index)) }
      }
    }
  }

  private func deliver(to pod: PodPart, seed: UInt64) async throws {
    let transport = try HTTP2ClientTransport.Posix(target: target(pod.address), transportSecurity: .plaintext)
    try await withGRPCClient(transport: transport) { client in
      let dues = Mutex<[UInt64: UInt64]>([:])
      let permits = Permits(max(1, plan.options.concurrency / plan.options.fanOut))
      try await Pushring_V1_Delivery.Client(wrapping: client).deliver { writer in
        var random = SplitMix(seed)
        var pace = Pace(rate: self.plan.options.rate / Double(self.plan.options.fanOut * self.plan.pods.count))
        while !self.isStopping.load(ordering: .relaxed) {
          let due = await pace.next()
          await permits.take()
          let batch = self.batch(pod, due, &random)
          dues.withLock { dues in for request in batch.requests { dues[request.correlation] = due } }
          try await writer.write(batch)
        }
        for _ in 0..<300 where permits.taken > 0 { try await Task.sleep(for: .milliseconds(20)) }
      } onResponse: { response in
        for try await batch in response.messages {
          permits.give()
          for result in batch.results {
            let due = dues.withLock { $0.removeValue(forKey: result.correlation) }
            self.delivered(result, due: due ?? 0)
          }
        }
      }
    }
  }

  private func batch(_ pod: PodPart, _ due: UInt64, _ random: inout SplitMix) -> Pushring_V1_DeliverBatch {
    var batch = Pushring_V1_DeliverBatch()
    for index in 0..<plan.options.fanOut {
      let number = nextNumber()
      var message = Pushring_V1_Message()
      message.id = "b\(number)"
      message.payload = Data(
        LoadMessage(due: due, push: UInt32(number), isShared: false).payload(count: plan.options.size))
      batch.messages.append(message)
      var request = Pushring_V1_DeliverRequest()
      request.correlation = UInt64(number)
      request.messageIndex = UInt32(index)
      request.userID = LoadPlan.userName(pod.users[random.below(pod.users.count)])
      batch.requests.append(request)
    }
    return batch
  }

  /// As a Sender would tell it.
  private func delivered(_ result: Pushring_V1_DeliverResult, due: UInt64) {
    var answer = Pushring_V1_PushResult()
    answer.results = result.sessions.map { session in
      var outcome = Pushring_V1_SessionOutcome()
      outcome.sessionID = session.sessionID
      outcome.outcome = session.outcome
      return outcome
    }
    answer.completeness = result.complete ? .complete : .unknown
    answer.deliverRpcs = 1
    if !result.error.isEmpty {
      answer.error.code = 3
      answer.error.message = result.error
    }
    answered(Int(result.correlation), due, answer)
  }
}
