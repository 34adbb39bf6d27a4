/// All of one side's settings, at first with the values that hold before any SETTINGS frame (RFC 9113, section 6.5.2).
public struct Settings: Hashable, Sendable {
  /// Bytes.
  public var headerTableSize: UInt32 = 4_096
  public var enablePush = true
  /// Nil: no limit.
  public var maximumConcurrentStreams: UInt32?
  /// Bytes.
  public var initialWindowSize: UInt32 = 65_535
  /// Bytes of payload.
  public var maximumFrameSize: UInt32 = 16_384
  /// Bytes, counted as in `HeaderList.size`; nil: no limit.
  public var maximumHeaderListSize: UInt32?

  public init() {}

  /// Takes what the peer said, in order. The caller compares before and after, and acts: it moves the send windows
  /// and tells its HPACK encoder.
  public mutating func apply(_ changes: [Setting]) {
    for change in changes {
      switch change.name {
      case .headerTableSize: headerTableSize = change.value
      case .enablePush: enablePush = change.value == 1
      case .maximumConcurrentStreams: maximumConcurrentStreams = change.value
      case .initialWindowSize: initialWindowSize = change.value
      case .maximumFrameSize: maximumFrameSize = change.value
      case .maximumHeaderListSize: maximumHeaderListSize = change.value
      default: break
      }
    }
  }

  /// What to send to a peer that knows only the initial values: those that differ.
  public var changesFromInitial: [Setting] {
    let initial = Settings()
    var changes: [Setting] = []
    if headerTableSize != initial.headerTableSize { changes.append(Setting(.headerTableSize, headerTableSize)) }
    if enablePush != initial.enablePush { changes.append(Setting(.enablePush, enablePush ? 1 : 0)) }
    if let maximumConcurrentStreams { changes.append(Setting(.maximumConcurrentStreams, maximumConcurrentStreams)) }
    if initialWindowSize != initial.initialWindowSize {
      changes.append(Setting(.initialWindowSize, initialWindowSize))
    }
    if maximumFrameSize != initial.maximumFrameSize { changes.append(Setting(.maximumFrameSize, maximumFrameSize)) }
    if let maximumHeaderListSize { changes.append(Setting(.maximumHeaderListSize, maximumHeaderListSize)) }
    return changes
  }
}
