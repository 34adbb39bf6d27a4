internal import GRPCCore
internal import SwiftProtobuf
internal import Wire

extension Push {
  init(_ wire: Pushring_V1_PushRequest) {
    self.init(
      user: wire.userID, session: wire.sessionID.isEmpty ? nil : wire.sessionID, payload: Array(wire.payload))
    headers = wire.headers
    messageID = wire.messageID.isEmpty ? nil : wire.messageID
    strategy = .init(wire.strategy)
    groupsByPod = wire.noGrouping ? false : nil
    timeout = wire.timeoutMillis == 0 ? nil : .milliseconds(Int64(wire.timeoutMillis))
  }

  /// The user is filled in for each.
  init(_ wire: Pushring_V1_PushManyRequest) {
    self.init(user: "", payload: Array(wire.payload))
    headers = wire.headers
    messageID = wire.messageID.isEmpty ? nil : wire.messageID
    strategy = .init(wire.strategy)
    groupsByPod = wire.noGrouping ? false : nil
    timeout = wire.timeoutMillis == 0 ? nil : .milliseconds(Int64(wire.timeoutMillis))
  }
}

extension SenderConfiguration.Strategy {
  /// Nil: as the Sender is configured; also for a value that this version does not know.
  init?(_ wire: Pushring_V1_Strategy) {
    switch wire {
    case .ring: self = .ring
    case .directory: self = .directory
    case .modulo: self = .modulo
    case .unspecified, .UNRECOGNIZED: return nil
    }
  }
}

extension Pushring_V1_PushResult {
  init(_ result: PushResult) {
    self.init()
    userID = result.user
    messageID = result.messageID
    route =
      switch result.route {
      case .ring: .ring
      case .directory: .directory
      case .scatter: .scatter
      case .modulo: .modulo
      }
    completeness = result.completeness == .complete ? .complete : .unknown
    deliverRpcs = UInt32(clamping: result.deliverRPCs)
    registryReads = UInt32(clamping: result.registryReads)
    results = result.sessions.map(Pushring_V1_SessionOutcome.init)
    view.version = result.viewVersion
    view.digest = result.viewDigest
  }

  /// A push that was refused, in a call for several.
  init(user: String, _ refusal: PushError) {
    self.init()
    userID = user
    error.code = UInt32(refusal.rpcCode.rawValue)
    error.message = refusal.message
  }

  init(user: String, _ outcome: Result<PushResult, PushError>) {
    switch outcome {
    case .success(let result): self.init(result)
    case .failure(let refusal): self.init(user: user, refusal)
    }
  }
}

extension Pushring_V1_SessionOutcome {
  init(_ session: SessionOutcome) {
    self.init()
    sessionID = session.session
    podID = session.pod
    detail = session.detail
    outcome =
      switch session.outcome {
      case .delivered: .delivered
      case .slow: .slow
      case .gone: .gone
      case .refused: .refused
      case .unreachable: .unreachable
      }
    slowPolicy =
      switch session.slowPolicy {
      case .dropNewest: .dropNewest
      case .dropOldest: .dropOldest
      case .disconnect: .disconnect
      case nil: .unspecified
      }
  }
}

extension PushError {
  var rpcCode: RPCError.Code {
    switch code {
    case .invalidArgument: .invalidArgument
    case .resourceExhausted: .resourceExhausted
    case .unavailable: .unavailable
    }
  }

  /// With a trailer that tells the Sender's own words from those of a transport or a proxy.
  var rpcError: RPCError {
    RPCError(code: rpcCode, message: message, metadata: ["pushring-refused": "\(code.rawValue)"])
  }
}
