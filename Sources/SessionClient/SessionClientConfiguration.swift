/// How a client keeps its session; the defaults suit a device.
public struct SessionClientConfiguration: Sendable, Hashable {
  /// Any pods of the cluster, "HOST:PORT".
  public var endpoints: [String]
  public var user: String
  /// Names the device: the same in every connection. Empty: the pod chooses, and the client keeps it.
  public var session: String
  public var labels: [String: String] = [:]
  /// How long one pod may take to answer Locate, or to welcome.
  public var connectTimeout: Duration = .seconds(5)
  public var backoff: Backoff = .init()
  /// HTTP/2 PING after this long without traffic; has to be shorter than the cluster's grace.
  public var keepAliveInterval: Duration = .seconds(30)
  public var keepAliveTimeout: Duration = .seconds(10)
  /// Rounds of failed attempts in a row before giving up; nil: never.
  public var maximumAttempts: Int?
  /// Connect again also after a takeover. Two clients of the same session id that both do it fight for ever.
  public var comesBackWhenTakenOver = false
  /// Tell the pod of each message that was given to the application.
  public var acknowledges = false
  /// How many ids of received messages are kept to drop repeats.
  public var remembersMessages = 1_024
  /// Events that may wait to be read; more end the session, as a message must not get lost silently.
  public var maximumQueuedEvents = 10_000
  /// Connect only to `endpoints`, in order, without asking for the owner: to make strays, in tests and demonstrations.
  public var staysAtEndpoints = false

  public init(endpoints: [String], user: String, session: String = "") {
    self.endpoints = endpoints
    self.user = user
    self.session = session
  }
}
