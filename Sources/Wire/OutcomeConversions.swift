package import Sessions

extension Outcome {
  /// Nil for a value that this version does not know: a newer program speaks.
  package init?(_ wire: Pushring_V1_Outcome) {
    switch wire {
    case .delivered: self = .delivered
    case .slow: self = .slow
    case .gone: self = .gone
    case .refused: self = .refused
    case .unreachable: self = .unreachable
    case .unspecified, .UNRECOGNIZED: return nil
    }
  }
}

extension Pushring_V1_Outcome {
  package init(_ outcome: Outcome) {
    switch outcome {
    case .delivered: self = .delivered
    case .slow: self = .slow
    case .gone: self = .gone
    case .refused: self = .refused
    case .unreachable: self = .unreachable
    }
  }
}

extension SlowPolicy {
  /// Nil for a queue that had room, and for a value that this version does not know.
  package init?(_ wire: Pushring_V1_SlowPolicy) {
    switch wire {
    case .dropNewest: self = .dropNewest
    case .dropOldest: self = .dropOldest
    case .disconnect: self = .disconnect
    case .unspecified, .UNRECOGNIZED: return nil
    }
  }
}

extension Pushring_V1_SlowPolicy {
  package init(_ policy: SlowPolicy?) {
    switch policy {
    case .dropNewest: self = .dropNewest
    case .dropOldest: self = .dropOldest
    case .disconnect: self = .disconnect
    case nil: self = .unspecified
    }
  }
}
