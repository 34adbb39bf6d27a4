internal import HTTP2Wire

extension Part {
  static let headers = [
    encoding("HPACK: encode a call's headers", of: call, tableSize: 0),
    encoding("HPACK: encode a call's headers, indexed", of: call, tableSize: 4_096),
    encoding("HPACK: encode a response's headers", of: response, tableSize: 0),
    Part("HPACK: decode a connection's first headers") {
      (block: block(of: call), list: HeaderList())
    } operation: { input, _ in
      var decoder = HPACKDecoder()
      return try decode(input.block, with: &decoder, into: &input.list)
    },
    Part("HPACK: decode the same headers again", input: { try DecodedConnection(call) }) { connection, _ in
      try decode(connection.laterBlock, with: &connection.decoder, into: &connection.list)
    },
  ]

  static let frames = [
    Part("frame: write a push of 200 bytes") {
      (message: message(200), output: [UInt8]())
    } operation: { input, _ in
      input.output.removeAll(keepingCapacity: true)
      appendPush(input.message, to: &input.output)
      return input.output.count
    },
    Part("frame: read a push of 200 bytes", input: { try PushedStream() }) { try $0.read($1) },
  ]

  /// As gRPC clients send them.
  private static let call: HeaderList = [
    ":method": "POST", ":scheme": "http", ":path": "/pushring.v1.Sessions/Connect",
    ":authority": "session-manager-17.pushring.internal:7400", "te": "trailers", "content-type": "application/grpc",
    "user-agent": "grpc-go/1.38.0", "grpc-accept-encoding": "gzip",
  ]
  private static let response: HeaderList = [":status": "200", "content-type": "application/grpc"]

  private static func encoding(_ name: String, of list: HeaderList, tableSize: Int) -> Part {
    Part(name) {
      (encoder: HPACKEncoder(tableSize: tableSize), output: [UInt8]())
    } operation: { input, _ in
      input.output.removeAll(keepingCapacity: true)
      input.encoder.encode(list, into: &input.output)
      return input.output.count
    }
  }

  private static func block(of list: HeaderList) -> [UInt8] {
    var encoder = HPACKEncoder(tableSize: 4_096)
    var block: [UInt8] = []
    encoder.encode(list, into: &block)
    return block
  }

  private static func decode(
    _ block: [UInt8], with decoder: inout HPACKDecoder, into list: inout HeaderList
  ) throws -> Int {
    list.removeAll()
    _ = try decoder.decode(block[...], into: &list)
    return list.count
  }

  private static func message(_ count: Int) -> [UInt8] { (0..<count).map { UInt8(truncatingIfNeeded: $0) } }

  fileprivate static func appendPush(_ message: [UInt8], to output: inout [UInt8]) {
    FrameWriter.appendDataHeader(count: 5 + message.count, stream: 1, endStream: false, to: &output)
    GRPCMessageWriter.append(message[...], to: &output)
  }
}

/// A connection whose tables know the headers already.
private struct DecodedConnection {
  var decoder = HPACKDecoder()
  var list = HeaderList()
  let laterBlock: [UInt8]

  init(_ headers: HeaderList) throws {
    var encoder = HPACKEncoder(tableSize: 4_096)
    var first: [UInt8] = []
    encoder.encode(headers, into: &first)
    _ = try decoder.decode(first[...], into: &list)
    var later: [UInt8] = []
    encoder.encode(headers, into: &later)
    laterBlock = later
  }
}

/// A client's side of a stream: a DATA frame comes, with one message in it.
private struct PushedStream {
  private var frames = FrameReader(role: .client)
  private var messages = GRPCMessageReader()
  private let bytes: [UInt8]

  init() throws {
    var bytes: [UInt8] = []
    Part.appendPush([UInt8](repeating: 7, count: 200), to: &bytes)
    self.bytes = bytes
    var settings: [UInt8] = []
    FrameWriter.appendSettings([], to: &settings)
    var input = settings[...]
    _ = try frames.next(from: &input)
  }

  mutating func read(_ number: Int) throws -> Int {
    var input = bytes[...]
    guard case .data(_, var data, _, _) = try frames.next(from: &input) else { return 0 }
    return try messages.next(from: &data)?.bytes.count ?? 0
  }
}
