/// Where the table keeps what it knows: entries by place, found by stream, by session, and by user.
internal import Placement

extension SessionTable {
  /// Of a stream that is not forgotten.
  func place(of stream: StreamID) -> Int? {
    let place = stream.place
    guard place < entries.count, entries[place].stream == stream, entries[place].state != .free else { return nil }
    return place
  }

  func livePlace(of key: SessionKey) -> Int? { livePlace(of: key.user, key.session) }

  func livePlace(of user: UserID, _ session: SessionID) -> Int? {
    sessions.find(user.placeHash(session)) { entries[Int($0)].text.isOf(user, session) }.map { Int($0) }
  }

  /// The user's live sessions, in the order in which they were welcomed.
  func livePlaces(of user: UserID) -> [Int] {
    guard let first = users.find(user.placeHash, where: { entries[Int($0)].text.isOf(user) }) else { return [] }
    var places = [Int(first)]
    while case let next = entries[places[places.count - 1]].next, next != first { places.append(Int(next)) }
    return places
  }

  /// Of a live one.
  func record(at place: Int) -> SessionRecord? {
    guard entries[place].state == .live else { return nil }
    let holder = holders[entries[place].holder]
    return SessionRecord(
      key: entries[place].text.key, podID: holder.podID, incarnation: holder.incarnation, epoch: entries[place].epoch)
  }

  mutating func enliven(_ place: Int, _ record: SessionRecord) {
    entries[place].state = .live
    entries[place].epoch = record.epoch
    entries[place].holder = holders.retain(RecordHolder(podID: record.podID, incarnation: record.incarnation))
    counts.live += 1
    let (text, place) = (entries[place].text, UInt32(place))
    sessions.insert(text.keyHash, place)
    let first = users.find(text.userHash) { entries[Int($0)].text.isOfSameUser(as: text) }
    if first == nil { users.insert(text.userHash, place) }
    link(place, before: first ?? place)
  }

  /// Into the circle of its user, at the end: that is before the first.
  private mutating func link(_ place: UInt32, before first: UInt32) {
    let last = first == place ? place : entries[Int(first)].previous
    entries[Int(place)].previous = last
    entries[Int(place)].next = first
    entries[Int(last)].next = place
    entries[Int(first)].previous = place
  }

  private mutating func unlink(_ place: UInt32) {
    let (text, next, previous) = (entries[Int(place)].text, entries[Int(place)].next, entries[Int(place)].previous)
    sessions.remove(text.keyHash, place)
    guard next != place else { return users.remove(text.userHash, place) }
    // Without effect unless it is the first.
    users.replace(text.userHash, place, with: next)
    entries[Int(previous)].next = next
    entries[Int(next)].previous = previous
  }

  mutating func forget(_ place: Int) {
    counts.queuedBytes -= Int(entries[place].queuedBytes)
    streamCount -= 1
    switch entries[place].state {
    case .free, .awaitingHello:
      break
    case .registering:
      registrationEnded(entries[place].text.key)
    case .live:
      counts.live -= 1
      unlink(UInt32(place))
      holders.release(entries[place].holder)
    }
    entries[place] = .free
  }

  mutating func registrationEnded(_ key: SessionKey) {
    registering[key]?.count -= 1
    if registering[key]?.count == 0 { registering[key] = nil }
    // What a storm has left is given back.
    if registering.isEmpty { registering = [:] }
  }
}
