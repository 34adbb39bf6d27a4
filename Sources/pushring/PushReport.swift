internal import Administration
internal import Wire

/// What `push` prints.
struct PushReport: Encodable {
  struct Result: Encodable {
    let session: String
    let pod: String
    let outcome: String
    let detail: String?
    /// What the pod did because the session's queue was full.
    let slowPolicy: String?
  }

  let user: String
  let messageID: String
  let route: String
  let completeness: String
  let deliverRPCs: UInt32
  let registryReads: UInt32
  let results: [Result]

  init(_ result: Pushring_V1_PushResult) {
    user = result.userID
    messageID = result.messageID
    route = name(of: result.route)
    completeness = result.completeness == .complete ? "complete" : "unknown"
    deliverRPCs = result.deliverRpcs
    registryReads = result.registryReads
    results = result.results
      .map {
        Result(
          session: $0.sessionID, pod: $0.podID, outcome: name(of: $0.outcome),
          detail: $0.detail.isEmpty ? nil : $0.detail, slowPolicy: name(of: $0.slowPolicy))
      }
      .sorted { $0.session < $1.session }
  }

  /// See `Docs/configuration.md`.
  func exitCode(anyIsEnough: Bool = false) -> Int32 {
    let delivered = results.count { $0.outcome == "delivered" }
    if delivered == 0 { return 3 }
    if anyIsEnough { return 0 }
    return delivered == results.count && completeness == "complete" ? 0 : 2
  }

  var table: String {
    let delivered = results.count { $0.outcome == "delivered" }
    let head =
      "message \(messageID) to \(user): \(delivered) of \(results.count) sessions reached  route \(route)  "
      + "completeness \(completeness)  RPCs \(deliverRPCs)  registry reads \(registryReads)\n"
    guard !results.isEmpty else { return head }
    var table = TextTable([("SESSION", .left), ("POD", .left), ("OUTCOME", .left), ("DETAIL", .left)])
    for result in results { table.add([result.session, result.pod, result.outcome, result.detail ?? ""]) }
    return head + "\n" + table.text
  }
}

private func name(of route: Pushring_V1_Route) -> String {
  switch route {
  case .ring: "ring"
  case .directory: "directory"
  case .scatter: "scatter"
  case .modulo: "modulo"
  case .unspecified, .UNRECOGNIZED: "unknown"
  }
}

private func name(of outcome: Pushring_V1_Outcome) -> String {
  switch outcome {
  case .delivered: "delivered"
  case .slow: "slow"
  case .gone: "gone"
  case .refused: "refused"
  case .unreachable: "unreachable"
  case .unspecified, .UNRECOGNIZED: "unknown"
  }
}

private func name(of policy: Pushring_V1_SlowPolicy) -> String? {
  switch policy {
  case .dropNewest: "drop-newest"
  case .dropOldest: "drop-oldest"
  case .disconnect: "disconnect"
  case .unspecified, .UNRECOGNIZED: nil
  }
}
