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
  private let connectionsPerAddress: Int
  private let addresses = Mutex<[PeerAddress: Int]>([:])
  private let callIdentifiers = Mutex(CallIdentifiers())
  /// When the last warning of a kind was logged, in milliseconds.
  private let lastWarning = Atomic<Milliseconds>(-60_000)

  init(configuration: EdgeConfiguration, application: any EdgeApplication, logger: Logger) {
    limits = SharedLimits(EngineLimits(configuration))
    self.application = application
    methods = Set(application.methods)
    self.logger = logger
    connectionsPerAddress = configuration.maximumConnectionsPerAddress
  }

  func nextCall() -> UInt64 { callIdentifiers.withLock { $0.take() } }

  /// The application knows that it is closed.
  func callEnded(_ id: UInt64) { callIdentifiers.withLock { $0.giveBack(id) } }

  // MARK: Connections of one address

  /// - Returns: false when the address has as many as it may.
  func admit(_ address: PeerAddress) -> Bool {
    guard connectionsPerAddress > 0 else { return true }
    return addresses.withLock { addresses in
      guard addresses[address, default: 0] < connectionsPerAddress else { return false }
      addresses[address, default: 0] += 1
      return true
    }
  }

  func left(_ address: PeerAddress) {
    guard connectionsPerAddress > 0 else { return }
    addresses.withLock { addresses in
      let count = addresses[address, default: 0] - 1
      addresses[address] = count > 0 ? count : nil
    }
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
    incompleteBytes = max(incompleteBytes, configuration.maximumReceivedMessageBytes * 4)
    patience = configuration.patience.milliseconds
    idle = configuration.idleTimeout.milliseconds
    keepAliveInterval = configuration.keepAliveInterval.milliseconds
    keepAliveTimeout = configuration.keepAliveTimeout.milliseconds
    overheadFrames = configuration.overheadFramesPerSecond
  }
}
