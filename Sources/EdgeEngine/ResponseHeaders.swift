/// What the server's header blocks say. They use no dynamic table, so the same bytes are right on every connection.
internal import HTTP2Wire
internal import SessionEdge

enum ResponseHeaders {
  private static let initial: HeaderList = [
    ":status": "200", "content-type": "application/grpc", "grpc-accept-encoding": "identity",
  ]

  static let initialBlock: [UInt8] = {
    var block: [UInt8] = []
    var encoder = HPACKEncoder()
    encoder.encode(initial, into: &block)
    return block
  }()

  /// - Parameter alone: there were no response headers before, so these are both ("Trailers-Only").
  static func trailers(_ status: EdgeStatus, alone: Bool) -> HeaderList {
    var list = alone ? initial : HeaderList()
    list.append("grpc-status", String(status.code.rawValue))
    if !status.message.isEmpty {
      list.append(name: "grpc-message".utf8, value: GRPCStatusMessage.encoded(status.message))
    }
    for (name, value) in status.trailers.sorted(by: { $0.key < $1.key }) { list.append(name, value) }
    return list
  }

  /// For a client that does not speak gRPC.
  static func plain(_ status: Int) -> HeaderList {
    var list: HeaderList = [":status": String(status)]
    list.append("content-length", "0")
    return list
  }
}
