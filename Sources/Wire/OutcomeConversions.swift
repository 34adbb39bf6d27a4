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
