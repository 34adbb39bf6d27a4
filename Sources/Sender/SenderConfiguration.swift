/// How a Sender works; the defaults are the documented ones.
public struct SenderConfiguration: Sendable, Hashable {
  /// How the pods of a user are found.
  public enum Strategy: String, Sendable, Hashable, CaseIterable {
    /// The ring's owner first; the registry when the owner can't vouch for all of the user's sessions.
    case ring
    /// The registry on every push.
    case directory
    /// Hash modulo the number of pods, without a registry: for comparison. Misses sessions that are elsewhere.
    case modulo
  }

  public var strategy: Strategy = .ring
  /// One call per pod; otherwise one per session that the registry names: for comparison.
  public var groupsByPod: Bool = true
  /// Pushes in flight at the same time; more are refused with `resourceExhausted`.
  public var maximumInFlight: Int = 10_000
  /// How long one push tries, unless it says otherwise. When its time is up it is answered with what is known then.
  public var pushTimeout: Duration = .seconds(5)
  /// Larger payloads are refused with `invalidArgument`; at most 16 MiB. The pods have a limit of their own.
  public var maximumPayloadBytes: Int = 256 * 1024
  /// Calls that wait for one pod, sent or not; more are answered as `refused`, so that one slow pod can't take it all.
  public var maximumCallsPerPod: Int = 8_192
  /// Message bytes that wait to be sent to one pod.
  public var maximumQueuedBytesPerPod: Int = 16 * 1024 * 1024
  /// Calls in one frame to a pod.
  public var maximumBatchCalls: Int = 512
  /// Message bytes in one frame to a pod; a single larger message has a frame of its own.
  public var maximumBatchBytes: Int = 1024 * 1024
  /// How long the first attempt to connect to a pod may take; meanwhile its calls wait.
  public var connectTimeout: Duration = .seconds(1)
  /// A pod that owes answers and gives none for this long is taken for dead, and the connection to it is made anew.
  public var stallTimeout: Duration = .seconds(3)
  /// Pauses between attempts to connect, doubled from the first to the second, each shortened by up to a half.
  public var initialBackoff: Duration = .milliseconds(50)
  public var maximumBackoff: Duration = .seconds(1)
  /// One in so many pushes that need no look-up is compared with the registry all the same; 0: none.
  public var auditInterval: Int = 1_000
  /// Reads of the registry at the same time; more wait their turn.
  public var maximumRegistryReads: Int = 256

  public init() {}
}
