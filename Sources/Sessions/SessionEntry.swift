internal import Placement

/// One stream in the table, in few bytes, as there are many: its texts are in one piece of memory, and what all sessions of
/// an incarnation have in common is in the table once.
struct SessionEntry: Sendable {
  enum State: UInt8, Sendable {
    /// No stream has this place.
    case free
    case awaitingHello
    case registering
    case live
  }

  var stream = StreamID(rawValue: 0)
  /// Of the record; nothing before the stream is live.
  var epoch = Epoch.none
  /// As the client's Hello told it.
  private var lastEpoch = Epoch.none
  private(set) var text = SessionText.none
  /// In 32 bits: the limit of a queue is 1 GiB.
  var queuedBytes: UInt32 = 0
  /// Places of the user's other live sessions, a circle in the order in which they were welcomed.
  var next: UInt32 = 0
  var previous: UInt32 = 0
  /// Index of who holds the record.
  var holder: UInt16 = 0
  var state = State.free
  private var moves = false
  private var acknowledges = false

  static let free = SessionEntry()

  private init() {}

  init(awaitingHello stream: StreamID) {
    self.stream = stream
    state = .awaitingHello
  }

  mutating func register(_ hello: Hello) {
    state = .registering
    text = SessionText(hello)
    lastEpoch = hello.lastEpoch
    moves = hello.moves
    acknowledges = hello.acknowledges
  }

  /// Of one that said it.
  var hello: Hello {
    Hello(key: text.key, lastEpoch: lastEpoch, labels: text.labels, moves: moves, acknowledges: acknowledges)
  }
}

/// Whose records sessions are: the same for all that were registered by one incarnation.
struct RecordHolder: Hashable, Sendable {
  let podID: String
  let incarnation: Incarnation
}

/// The holders that entries refer to, by small numbers: one, and for a moment two when a pod has joined anew.
struct RecordHolders: Sendable {
  private var holders: [(holder: RecordHolder, entries: Int)] = []

  subscript(_ index: UInt16) -> RecordHolder { holders[Int(index)].holder }

  /// - Returns: its number, for an entry that refers to it from now on.
  mutating func retain(_ holder: RecordHolder) -> UInt16 {
    let index = holders.firstIndex { $0.holder == holder } ?? place(for: holder)
    holders[index].entries += 1
    return UInt16(index)
  }

  mutating func release(_ index: UInt16) { holders[Int(index)].entries -= 1 }

  private mutating func place(for holder: RecordHolder) -> Int {
    if let unused = holders.firstIndex(where: { $0.entries == 0 }) {
      holders[unused] = (holder, 0)
      return unused
    }
    holders.append((holder, 0))
    return holders.count - 1
  }
}
