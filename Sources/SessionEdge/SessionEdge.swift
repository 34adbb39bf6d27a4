/// The boundary of the server that holds device streams: it knows gRPC calls as bytes, streams and back-pressure, and
/// nothing of users. `EpollSessionEdge` implements it.
///
/// A *call* is one gRPC stream: a method path, metadata, whole messages in, whole messages out, a status. The edge
/// never calls one call's handler from two threads at once, and never blocks on it; the handler must not block.

/// One gRPC call as the application sees it. All methods may be called from any thread and never block.
public protocol EdgeCall: AnyObject, Sendable {
  /// Unique within the process. The low 32 bits are a small number that no other open call has, to be used again after
  /// `closed`: an application may keep its calls in an array.
  var id: UInt64 { get }
  /// Queues one message for writing. The edge itself does not bound the queue: the application does, by
  /// `bytesWritten`, which the edge reports for every message.
  func send(_ message: [UInt8])
  /// As `send`, in answer to a message of the client. What a client is sent, it may acknowledge, by as many frames as it takes;
  /// being answered allows it nothing, or it could ask without end. Answers are small, and many may wait for a client that does not
  /// read: `bytesWritten` reports `EdgeAnswer.overheadBytes` more for each, about what one takes besides its bytes.
  func answer(_ message: [UInt8])
  /// The same as `send` for who queues many: the edge may sleep on until the caller has called `wake` of what is returned, which it
  /// does soon, and at best after it has let its locks go: waking a thread often means to be interrupted by it.
  /// - Parameter limit: given for a message that gives way to later ones: of those that were queued with a limit, the oldest
  ///   that have not begun to be written are dropped while more than `limit` bytes wait for the call. `messagesDropped` tells.
  func queue(_ message: [UInt8], displacingBeyond limit: Int?) -> (any EdgeWake)?
  /// Ends the call after the queued messages. Later sends are ignored. Idempotent: the first status counts.
  func end(_ status: EdgeStatus)
  /// Ends the call, and drops the queued messages that have not begun to be written. `messagesDropped` counts those of them
  /// that were sent with a limit.
  func endNow(_ status: EdgeStatus)
}

public enum EdgeAnswer {
  /// Bytes of memory for a message of its own: its array, the allocator's header, and its place in the queue.
  public static let overheadBytes = 64
}

/// Somebody to wake, after `EdgeCall.queue`.
public protocol EdgeWake: Sendable {
  func wake()
}

/// Bytes of messages that a call has handed to the transport.
public struct EdgeProgress: Hashable, Sendable {
  /// Its id.
  public let call: UInt64
  public let bytes: Int

  public init(call: UInt64, bytes: Int) {
    self.call = call
    self.bytes = bytes
  }
}

/// What the application does with calls. For one call the edge calls these in order, never two at once. A handler may serve any
/// number of calls: one that keeps nothing for each costs nothing for each.
public protocol EdgeCallHandler: AnyObject, Sendable {
  /// Whether a call has one message of the client. The edge ends one whose message is not complete within its patience, since what
  /// nobody limits strangers hold for ever, and one that sends another. False for calls that the application limits itself.
  var takesOneMessage: Bool { get }
  func messageReceived(_ message: [UInt8], on call: any EdgeCall)
  /// The client half-closed.
  func inputEnded(of call: any EdgeCall)
  /// `count` messages of `bytes` bytes in all were dropped from the queue, as `queue` or `endNow` asked for.
  func messagesDropped(_ count: Int, bytes: Int, on call: any EdgeCall)
  /// Asked just before `end` is carried out, when all has been told that was dropped: one more message for the client.
  func lastMessage(on call: any EdgeCall) -> [UInt8]?
  /// Always called, exactly once and last: after `end` was carried out, the client cancelled, or the connection went.
  func closed(_ call: any EdgeCall, _ reason: EdgeCloseReason)
}

extension EdgeCallHandler {
  public var takesOneMessage: Bool { true }
  /// For calls that drop nothing.
  public func messagesDropped(_ count: Int, bytes: Int, on call: any EdgeCall) {}
  public func lastMessage(on call: any EdgeCall) -> [UInt8]? { nil }
}

public enum EdgeCloseReason: Sendable, Hashable {
  /// `end` was carried out.
  case ended
  case cancelledByClient
  /// Connection lost or found dead by HTTP/2 PING.
  case connectionLost(String)
  case edgeStopped
}

/// The application's entry.
public protocol EdgeApplication: Sendable {
  /// Full method paths that exist, "package.Service/Method"; any other gets UNIMPLEMENTED from the edge.
  var methods: [String] { get }
  func callOpened(_ call: any EdgeCall, method: String, metadata: [(String, String)]) -> any EdgeCallHandler
  /// Message bytes of earlier `send`s were handed to the transport, within its flow control: of many calls at once, before
  /// the `closed` of any of them. Called from several threads, from one only for one call.
  func bytesWritten(_ progress: [EdgeProgress])
}

/// A running server.
public protocol SessionEdge: Sendable {
  /// Binds, serves, and returns when `stop` completed. Throws when it can't bind; the message says which address and
  /// why.
  func run(_ application: any EdgeApplication) async throws
  /// The bound "host:port" once it listens: port 0 in the configuration becomes the real one. Throws what `run` throws.
  func address() async throws -> String
  /// Refuses new connections and calls, and closes what is left when `deadline` has passed.
  func stop(deadline: Duration) async
}

/// A gRPC status with trailers; codes as in the gRPC specification.
public struct EdgeStatus: Sendable, Hashable {
  public enum Code: Int, Sendable {
    case ok = 0, cancelled, unknown, invalidArgument, deadlineExceeded, notFound, alreadyExists, permissionDenied
    case resourceExhausted, failedPrecondition, aborted, outOfRange, unimplemented, internalError, unavailable, dataLoss
    case unauthenticated
  }
  public var code: Code
  public var message: String
  /// ASCII trailers.
  public var trailers: [String: String]
  public init(_ code: Code, _ message: String = "", trailers: [String: String] = [:]) {
    self.code = code
    self.message = message
    self.trailers = trailers
  }
}

public struct EdgeConfiguration: Sendable, Hashable {
  public var host: String
  public var port: Int
  /// HTTP/2 PING after this long without traffic, and close when it isn't answered in `keepAliveTimeout`.
  public var keepAliveInterval: Duration = .seconds(30)
  public var keepAliveTimeout: Duration = .seconds(10)
  /// A larger message from a client ends its call with RESOURCE_EXHAUSTED.
  public var maximumReceivedMessageBytes: Int = 64 * 1024
  /// Bytes of a call's header list, by HTTP/2's count; a larger one is refused with status 431.
  public var headerListBytes: Int = 16 * 1024
  /// How many threads move bytes; 0: one for each core.
  public var threads: Int = 0

  // What strangers may do. A connection that goes beyond is closed, with GOAWAY and the reason in its debug data.

  /// Open connections of one IP address; 0: no limit, as behind a balancer or NAT thousands share one.
  public var maximumConnectionsPerAddress: Int = 0
  /// Calls that are open at once on one connection: a proxy may bring many clients on one.
  public var maximumCallsPerConnection: Int = 1_024
  /// New connections of one IP address for each second, with ten seconds' worth at once; 0: no limit.
  public var newConnectionsPerSecondAndAddress: Int = 0
  /// Frames that a client may send on a connection for each second, with ten seconds' worth at once; more with what it is
  /// sent.
  public var framesPerSecond: Int = 200
  /// Calls that a client may open on a connection for each second, with ten seconds' worth at once.
  public var newCallsPerSecond: Int = 100
  /// For the greeting of a connection, for a frame or message that has begun, and for the end of a call to be read.
  public var patience: Duration = .seconds(10)
  /// A connection without a call is closed after this.
  public var idleTimeout: Duration = .seconds(60)
  public init(host: String, port: Int) {
    self.host = host
    self.port = port
  }
}

/// Could not listen; the message says on what, why, and what to do.
public struct EdgeError: Error, Sendable, CustomStringConvertible {
  public let message: String
  public init(message: String) { self.message = message }
  public var description: String { message }
}
