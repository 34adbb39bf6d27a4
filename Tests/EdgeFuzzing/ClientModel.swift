import EdgeEngine
import HTTP2Wire

/// What the client of a fuzzed connection knows, and so what the server may send it.
struct ClientModel {
  private var sentReader: FrameReader
  private var window = FlowWindowModel()
  private var streams: [StreamIdentifier: Stream] = [:]
  private var initialWindow = 65_535
  private var largestFrame = 16_384
  /// Sizes of the HPACK table that the server has not acknowledged yet.
  private var tableSizes: [Int?] = []
  private var reader = FrameReader(role: .client)
  private var decoder = HPACKDecoder(maximumListSize: 1 << 20)
  private var sawError = false

  private struct FlowWindowModel {
    var available = 65_535
  }

  private struct Stream {
    var window: FlowWindowModel
    var sawHeaders = false
    var isEnded = false
    var isReset = false
  }

  init(_ limits: EngineLimits) {
    sentReader = FrameReader(role: .server, maximumHeaderBlock: limits.headerBlockBytes)
  }

  // MARK: What it sends

  mutating func sent(_ bytes: ArraySlice<UInt8>) {
    var rest = bytes
    while let frame = try? sentReader.next(from: &rest) { note(frame) }
  }

  private mutating func note(_ frame: Frame) {
    switch frame {
    case .headers(let stream, _, _):
      if streams[stream] == nil { streams[stream] = Stream(window: FlowWindowModel(available: initialWindow)) }
    case .settings(let settings): apply(settings)
    case .windowUpdate(let stream, let increment):
      if stream == 0 { window.available += Int(increment) } else { streams[stream]?.window.available += Int(increment) }
    default: break
    }
  }

  private mutating func apply(_ settings: [Setting]) {
    var after = Settings()
    after.initialWindowSize = UInt32(initialWindow)
    after.apply(settings)
    let change = Int(after.initialWindowSize) - initialWindow
    for id in streams.keys { streams[id]?.window.available += change }
    initialWindow += change
    for setting in settings where setting.name == .maximumFrameSize {
      largestFrame = max(largestFrame, Int(setting.value))
    }
    reader.maximumFrameSize = largestFrame
    tableSizes.append(settings.last { $0.name == .headerTableSize }.map { Int($0.value) })
  }

  // MARK: What it receives

  mutating func received(_ bytes: [UInt8]) throws(Violation) {
    var rest = bytes[...]
    var frames: [Frame] = []
    do throws(HTTP2Error) {
      while let frame = try reader.next(from: &rest) {
        frames.append(frame)
      }
    } catch {
      throw Violation("what the server sends is malformed: \(error)")
    }
    for frame in frames { try check(frame) }
    try require(reader.isBetweenFrames, "the output ends within a frame")
  }

  private mutating func check(_ frame: Frame) throws(Violation) {
    try require(!sawError, "a frame after a GOAWAY with an error: \(frame)")
    switch frame {
    case .data(let stream, let bytes, let count, let end):
      try require(!end, "the end of a stream without trailers")
      try require(bytes.count == count, "padding")
      try checkData(stream, count)
    case .headers(let stream, let block, let end): try checkHeaders(stream, block, end)
    case .reset(let stream, _):
      guard streams[stream] != nil else { throw Violation("a reset of stream \(stream), which is not open") }
      try require(streams[stream]?.isReset == false, "a second reset of stream \(stream)")
      streams[stream]?.isReset = true
    case .settings: break
    case .settingsAcknowledged:
      try require(!tableSizes.isEmpty, "an acknowledgement of nothing")
      if let size = tableSizes.removeFirst() { decoder.setMaximumTableSize(size) }
    case .ping: break
    case .goAway(_, let code, _): sawError = code != .noError
    case .windowUpdate(let stream, _):
      try require(stream == 0 || streams[stream] != nil, "a window update of stream \(stream), which is not open")
    case .priority, .pushPromise, .malformed: throw Violation("no server sends \(frame)")
    }
  }

  private mutating func checkData(_ id: StreamIdentifier, _ count: Int) throws(Violation) {
    guard var stream = streams[id] else { throw Violation("DATA of stream \(id), which is not open") }
    try require(stream.sawHeaders && !stream.isEnded && !stream.isReset, "DATA of stream \(id) out of turn")
    try require(
      count == 0 || (count <= stream.window.available && count <= window.available), "\(count) bytes beyond the window")
    stream.window.available -= count
    window.available -= count
    streams[id] = stream
  }

  private mutating func checkHeaders(_ id: StreamIdentifier, _ block: ArraySlice<UInt8>, _ end: Bool) throws(Violation)
  {
    guard let stream = streams[id] else { throw Violation("HEADERS of stream \(id), which is not open") }
    try require(!stream.isEnded && !stream.isReset, "HEADERS of stream \(id) after its end")
    var list = HeaderList()
    do {
      _ = try decoder.decode(block, into: &list)
    } catch {
      throw Violation("a header block that cannot be decoded: \(error)")
    }
    try require(list.first(":status") != nil || stream.sawHeaders, "no :status at first")
    try require(list.first("grpc-status") == nil || end, "grpc-status before the end")
    try require(end || !stream.sawHeaders, "headers twice")
    streams[id]?.sawHeaders = true
    streams[id]?.isEnded = end
  }
}
