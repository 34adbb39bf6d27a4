/// One parameter of a SETTINGS frame (RFC 9113, section 6.5.1), within its bounds when a `FrameReader` gave it.
public struct Setting: Hashable, Sendable {
  /// What the value is about; see the constants for its unit and bounds.
  public struct Name: RawRepresentable, Hashable, Sendable {
    public let rawValue: UInt16

    public init(rawValue: UInt16) { self.rawValue = rawValue }

    /// Bytes that the peer's encoder may use of our dynamic table (RFC 7541, section 4.2).
    public static let headerTableSize = Name(rawValue: 1)
    /// 0 or 1: whether the server may push. A server says 0 or nothing.
    public static let enablePush = Name(rawValue: 2)
    /// How many streams the peer may have open at once.
    public static let maximumConcurrentStreams = Name(rawValue: 3)
    /// Bytes that the peer may send on a new stream, at most 2^31 - 1. A change also moves the windows of all open
    /// streams (section 6.9.2).
    public static let initialWindowSize = Name(rawValue: 4)
    /// Bytes of payload in a frame, 2^14 to 2^24 - 1.
    public static let maximumFrameSize = Name(rawValue: 5)
    /// Bytes of a header list, counted as in `HeaderList.size`; advice.
    public static let maximumHeaderListSize = Name(rawValue: 6)
  }

  public let name: Name
  public let value: UInt32

  public init(_ name: Name, _ value: UInt32) {
    self.name = name
    self.value = value
  }
}

extension Setting {
  /// What a SETTINGS payload says, in its order; names that are not known are left out (section 6.5.2).
  ///
  /// - Throws: FRAME_SIZE_ERROR when the length is no multiple of 6, PROTOCOL_ERROR or FLOW_CONTROL_ERROR when a
  ///   value is out of its bounds; each of them ends the connection.
  static func parse(_ payload: ArraySlice<UInt8>, from sender: Endpoint) throws(HTTP2Error) -> [Setting] {
    guard payload.count.isMultiple(of: 6) else {
      throw HTTP2Error(.frameSizeError, "SETTINGS has a length that is no multiple of 6")
    }
    var settings: [Setting] = []
    for start in stride(from: payload.startIndex, to: payload.endIndex, by: 6) {
      let name = UInt16(payload[start]) << 8 | UInt16(payload[start + 1])
      let setting = Setting(Name(rawValue: name), payload.bigEndian32(at: start + 2))
      try setting.check(from: sender)
      if (1...6).contains(name) { settings.append(setting) }
    }
    return settings
  }

  private func check(from sender: Endpoint) throws(HTTP2Error) {
    switch name {
    case .enablePush where value > (sender == .server ? 0 : 1):
      throw HTTP2Error(.protocolError, "SETTINGS_ENABLE_PUSH is neither 0 nor, from a client, 1")
    case .initialWindowSize where value > FlowWindow.maximum:
      throw HTTP2Error(.flowControlError, "SETTINGS_INITIAL_WINDOW_SIZE is above 2^31 - 1")
    case .maximumFrameSize where !(16_384...16_777_215).contains(value):
      throw HTTP2Error(.protocolError, "SETTINGS_MAX_FRAME_SIZE is not within 2^14 to 2^24 - 1")
    default: break
    }
  }
}
