internal import Placement
internal import RedisFormats
internal import Sessions

extension Part {
  static let redis = [
    replies("RESP: a number", of: ":1\r\n"),
    replies("RESP: a user's 2 records", of: text(ofRecords: 2)),
    replies("RESP: a user's 20 records", of: text(ofRecords: 20)),
    Part("record: encode", input: { try records() }) { records, number in
      StoredRecord.encode(records[number % records.count]).utf8.count
    },
    Part("record: decode") {
      try records().map { (key: $0.key, text: StoredRecord.encode($0)) }
    } operation: { stored, number in
      let (key, text) = stored[number % stored.count]
      return Int(try StoredRecord.decode(text, key: key).incarnation.rawValue)
    },
  ]

  /// One reply that comes in one piece, in a connection that has seen others.
  private static func replies(_ name: String, of text: String) -> Part {
    Part(name, counted: 256) {
      (stream: ReplyStream(), bytes: Array(text.utf8))
    } operation: { input, _ in
      try input.stream.read(input.bytes)
    }
  }

  private static func text(ofRecords count: Int) -> String {
    let pairs = (0..<count).map { number in
      bulk("phone-\(10_000 + number)") + bulk("1 17 \(1_764_115_200_000_000 + number) session-manager-17")
    }
    return "*\(2 * count)\r\n" + pairs.joined()
  }

  private static func bulk(_ text: String) -> String { "$\(text.utf8.count)\r\n\(text)\r\n" }

  private static func records() throws -> [SessionRecord] {
    try Inputs.users().enumerated().map { number, user in
      SessionRecord(
        key: SessionKey(user: user, session: try SessionID("phone-2f6c1d90")),
        podID: Inputs.member(1 + number % 100).podID, incarnation: Incarnation(rawValue: UInt64(1 + number % 100)),
        epoch: Epoch(rawValue: 1_764_115_200_000_000 + UInt64(number)))
    }
  }
}
