/// What the loops of an edge have in common.
internal import EdgeEngine
internal import Logging
internal import SessionEdge
internal import Synchronization

final class EdgeShared: Sendable {
  let limits: SharedLimits
  let application: any EdgeApplication
  let methods: Set<String>
  let logger: Logger
  let spare = SpareDescriptor()
  private let addresses: Mutex<AddressLimiter>
  private let callIdentifiers = Mutex(CallIdentifiers())
  /// When connections without a call were last ended for want of descriptors, in milliseconds.
  private let lastSweep = Atomic<Milliseconds>(-60_000)
  /// When the last warning of a kind was logged, in milliseconds.
  private let lastWarning = Atomic<Milliseconds>(-60_000)

  init(configuration: EdgeConfiguration, application: any EdgeApplication, logger: Logger) {
    limits = SharedLimits(EngineLimits(configuration))
    self.application = application
    methods = Set(application.methods)
    self.logger = logger
    addresses = Mutex(
      AddressLimiter(
        open: configuration.maximumConnectionsPerAddress,
        perSecond: configuration.newConnectionsPerSecondAndAddress))
  }

  func nextCall() -> UInt64 { callIdentifiers.withLock { $0.take() } }

  /// The application knows that it is closed.
  func callEnded(_ id: UInt64) { callIdentifiers.withLock { $0.giveBack(id) } }

  // MARK: Connections of one address

  /// - Returns: false when the address has as many as it may.
  func admit(_ address: PeerAddress, now: Milliseconds) -> Bool {
    addresses.withLock { $0.admit(address, now: now) }
  }

  /// What a connection has to remember to say `left`.
  func kept(_ address: PeerAddress) -> PeerAddress? { addresses.withLock { $0.isOff } ? nil : address }

  func left(_ address: PeerAddress, now: Milliseconds) { addresses.withLock { $0.left(address, now: now) } }

  /// At most twice a second, as all connections are looked at.
  func maySweep(_ now: Milliseconds) -> Bool {
    let last = lastSweep.load(ordering: .relaxed)
    return now - last >= 500
      && lastSweep.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
  }

  /// At most one a second: what strangers cause must not fill a disk.
  func warn(_ message: Logger.Message, _ metadata: Logger.Metadata, now: Milliseconds) {
    let last = lastWarning.load(ordering: .relaxed)
    guard now - last >= 1_000,
      lastWarning.compareExchange(expected: last, desired: now, ordering: .relaxed).exchanged
    else { return }
    logger.warning(message, metadata: metadata)
  }
}

extension EngineLimits {
  init(_ configuration: EdgeConfiguration) {
    self.init()
    concurrentCalls = configuration.maximumCallsPerConnection
    receivedMessageBytes = configuration.maximumReceivedMessageBytes
    incompleteBytes = configuration.maximumReceivedMessageBytes * 4
    headerListBytes = configuration.headerListBytes
    patience = configuration.patience.milliseconds
    idle = configuration.idleTimeout.milliseconds
    keepAliveInterval = configuration.keepAliveInterval.milliseconds
    keepAliveTimeout = configuration.keepAliveTimeout.milliseconds
    framesPerSecond = configuration.framesPerSecond
    callsPerSecond = configuration.newCallsPerSecond
  }
}
