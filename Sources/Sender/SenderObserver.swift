/// Is told what a Sender does, for metrics. Called on hot paths: must be quick and must not block.
public protocol SenderObserver: Sendable {
  func pushEnded(_ result: PushResult)
  func pushRefused(_ code: PushError.Code)
  func pushesInFlight(_ count: Int)
  /// A claim was compared with the registry; anything but 0 is a defect of PushRing.
  func audited(missedSessions: Int)
  /// One frame was handed to the connection of a pod.
  func batchSent(calls: Int)
  /// Links to pods that are up, of all that should be.
  func linksUp(_ up: Int, of all: Int)
}
