/// Our HTTP/2 and HPACK for tests in other languages: a command a line on standard input, its answer a line on standard
/// output. Bytes are hexadecimal digits; a field is NAME:VALUE:0 or 1, 1 if it is sensitive, and fields are separated by commas.
///
///     decoder MAXIMUM-LIST            a new HPACK decoder                                 ok
///     table SIZE                      its maximum table size changes                      ok
///     decode BLOCK                                                                        FIELDS | too-large | error CODE
///     encoder TABLE-SIZE HUFFMAN      a new HPACK encoder, HUFFMAN 0 or 1                 ok
///     peer-table SIZE                 what the peer allows changes                        ok
///     encode FIELDS                                                                       BLOCK
///     reader ROLE                     a new frame reader, server or client                ok
///     read BYTES                      the frames, separated by spaces; an error last      FRAMES
///     server                          a new connection whose calls echo their messages    ok
///     receive BYTES                   what the server says to it                          BYTES
import Foundation
import HTTP2Wire

@main struct WireProbe {
  static func main() {
    var probe = Probe()
    while let line = readLine() {
      let answer = probe.answer(line.split(separator: " ").map(String.init))
      FileHandle.standardOutput.write(Data((answer + "\n").utf8))
    }
  }
}

struct Probe {
  private var decoder = HPACKDecoder()
  private var encoder = HPACKEncoder()
  private var reader = FrameReader(role: .client)
  private var server = EchoServer()

  mutating func answer(_ command: [String]) -> String {
    let argument = command.count > 1 ? command[1] : ""
    switch command.first {
    case "decoder": decoder = HPACKDecoder(maximumListSize: Int(argument) ?? 0)
    case "table": decoder.setMaximumTableSize(Int(argument) ?? 0)
    case "decode": return decode(bytes(argument))
    case "encoder": encoder = HPACKEncoder(tableSize: Int(argument) ?? 0, usesHuffman: command.last == "1")
    case "peer-table": encoder.setPeerTableSize(Int(argument) ?? 0)
    case "encode": return encode(fields(argument))
    case "reader": reader = FrameReader(role: argument == "server" ? .server : .client)
    case "read": return read(bytes(argument))
    case "server": server = EchoServer()
    case "receive": return hex(server.receive(bytes(argument)))
    default: return "unknown command"
    }
    return "ok"
  }

  private mutating func decode(_ block: [UInt8]) -> String {
    var list = HeaderList()
    do {
      guard try decoder.decode(block[...], into: &list) == .complete else { return "too-large" }
      return list.map { "\(hex($0.name)):\(hex($0.value)):\($0.sensitive ? 1 : 0)" }.joined(separator: ",")
    } catch {
      return "error \(error.code.rawValue)"
    }
  }

  private mutating func encode(_ list: HeaderList) -> String {
    var block: [UInt8] = []
    encoder.encode(list, into: &block)
    return hex(block)
  }

  private mutating func read(_ bytes: [UInt8]) -> String {
    var rest = bytes[...]
    var words: [String] = []
    do {
      while let frame = try reader.next(from: &rest) { words.append(described(frame)) }
    } catch {
      words.append("error:\(error.code.rawValue)")
    }
    return words.joined(separator: " ")
  }
}

private func described(_ frame: Frame) -> String {
  switch frame {
  case .data(let stream, let bytes, let count, let end): "data:\(stream):\(hex(bytes)):\(count):\(end ? 1 : 0)"
  case .headers(let stream, let block, let end): "headers:\(stream):\(hex(block)):\(end ? 1 : 0)"
  case .priority(let stream): "priority:\(stream)"
  case .reset(let stream, let code): "reset:\(stream):\(code.rawValue)"
  case .settings(let settings):
    "settings:" + settings.map { "\($0.name.rawValue)=\($0.value)" }.joined(separator: ",")
  case .settingsAcknowledged: "settings-ack"
  case .pushPromise(let stream, let promised, let block): "push:\(stream):\(promised):\(hex(block))"
  case .ping(let data, let acknowledgement): "ping:\(data):\(acknowledgement ? 1 : 0)"
  case .goAway(let stream, let code, let debug): "goaway:\(stream):\(code.rawValue):\(hex(debug))"
  case .windowUpdate(let stream, let increment): "window:\(stream):\(increment)"
  case .malformed(let error): "malformed:\(error.stream):\(error.code.rawValue)"
  }
}

private func bytes(_ text: String) -> [UInt8] {
  let digits = text.utf8.map { UInt8(Character(Unicode.Scalar($0)).hexDigitValue ?? 0) }
  return stride(from: 0, to: digits.count - 1, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
}

private func hex(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}

private func fields(_ text: String) -> HeaderList {
  var list = HeaderList()
  for field in text.split(separator: ",") {
    let parts = field.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    list.append(name: bytes(parts[0]), value: bytes(parts[1]), sensitive: parts[2] == "1")
  }
  return list
}
