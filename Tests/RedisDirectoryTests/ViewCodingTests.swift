import HashRing
import Placement
import Testing

@testable import RedisDirectory

@Suite struct ViewCodingTests {
  private func view(_ version: UInt64, _ numbers: [UInt64]) throws -> View {
    try View(
      stamp: ViewStamp(version: version, digest: version << 4),
      members: numbers.map {
        Member(incarnation: .init(rawValue: $0), description: pod(Int($0), zone: "é"), state: .active, since: version)
      }, tokensPerWeight: 4, newest: .init(rawValue: 99))
  }

  @Test func aViewSurvivesItsEncoding() throws {
    for original in [try view(1, []), try view(7, [3, 1, 2])] {
      let decoded = try View(encoded: original.encoded)
      #expect(decoded == original)
      #expect(decoded.newest == .init(rawValue: 99))
    }
  }

  @Test func theShareCapSurvivesTheEncodingAndIsNotThereWithoutOne() throws {
    let members = try view(7, [1, 2, 3]).members
    let capped = try View(
      stamp: ViewStamp(version: 7, digest: 9), members: members, tokensPerWeight: 4,
      shareCap: try ShareCap(percent: 105))
    #expect(capped.encoded.hasPrefix("1\tview\t7\t0000000000000009\t4/105\t3\t"))
    let decoded = try View(encoded: capped.encoded)
    #expect(decoded == capped && decoded.ring.shareCap?.percent == 105)
    #expect(try view(7, [1]).encoded.hasPrefix("1\tview\t7\t0000000000000070\t4\t1\t"))
  }

  @Test func garbageIsRefusedNotTrapped() throws {
    let good = try view(7, [1, 2]).encoded
    let lineEnd = try #require(good.firstIndex(of: "\n"))
    for length in 0..<good.utf8.count - 1 {
      let cut = String(decoding: good.utf8.prefix(length), as: UTF8.self)
      if let decoded = try? View(encoded: cut) {
        // Only a shortened last number can pass for a view.
        #expect(decoded.members.count == 2)
      }
    }
    let bad = [
      "", "\n", "\t\t\t\t\t\t\n", "2\tview\t1\t0000000000000000\t4\t0\t0\n", "1\tview\t-1\t0000000000000000\t4\t0\t0\n",
      "1\tview\t1\tzz00000000000000\t4\t0\t0\n", "1\tview\t1\t0000000000000000\t18446744073709551615\t0\t0\n",
      "1\tview\t1\t0000000000000000\t4/\t0\t0\n", "1\tview\t1\t0000000000000000\t4/100\t0\t0\n",
      "1\tview\t1\t0000000000000000\t4/105/1\t0\t0\n", good.replacing("active", with: "asleep"),
      String(good[..<lineEnd]), good + good,
    ]
    for text in bad { #expect(throws: ViewCodingError.self) { try View(encoded: text) } }
    for text in bad + ["1\tchange\t1", "1\tsettled\t1\t1", "1\tother\t1\t0000000000000000"] {
      #expect(throws: ViewCodingError.self) { try ViewAnnouncement(encoded: text) }
    }
  }

  private static let change = """
    1\tchange\t1\t0000000000000010\t2\t0000000000000020\t4\t2\t99\t1\t0000000000000010
    +3\tpod-3\t10.0.0.3:7000\t10.0.0.3:7001\t1\té\tactive\t2
    -1

    """

  @Test func aChangeLeadsFromOneViewToTheNext() throws {
    guard case .change(let change) = try ViewAnnouncement(encoded: Self.change) else {
      Issue.record("no change")
      return
    }
    let next = try change.applied(to: try view(1, [1, 2]))
    #expect(next.stamp == ViewStamp(version: 2, digest: 0x20))
    #expect(next.members.map(\.incarnation.rawValue) == [2, 3])
    // Not from another view, and not to another number of members.
    #expect(throws: ViewCodingError.self) { try change.applied(to: try view(2, [1, 2])) }
    #expect(throws: ViewCodingError.self) { try change.applied(to: try view(1, [1])) }
  }

  @Test func aFollowerReadsWhenADifferenceDoesNotFit() throws {
    var followed = FollowedWindow()
    let change = try ViewAnnouncement(encoded: Self.change)
    #expect(followed.announced(change) == .read)
    let (first, other) = (try view(1, [1, 2]), try view(5, [1, 2]))
    let window = Window(settled: first, current: first)
    #expect(followed.readEnded(window, followed.readBegan()) == .tell(window))
    #expect(followed.readEnded(nil, followed.readBegan()) == .nothing)
    let overtaken = followed.readBegan()
    guard case .tell(let next) = followed.announced(change) else {
      Issue.record("the change was not applied")
      return
    }
    #expect(next.settled == first && next.current.stamp.version == 2)
    #expect(followed.announced(change) == .nothing)
    // A read that an announcement overtook does not take the follower back.
    #expect(followed.readEnded(window, overtaken) == .read)
    #expect(followed.window == next)
    #expect(followed.announced(.settled(other.stamp)) == .read)
    guard case .tell(let settled) = followed.announced(.settled(next.current.stamp)) else {
      Issue.record("the view did not settle")
      return
    }
    #expect(settled.settled == next.current)
    // A smaller version without an announcement in between: the registry lost its data.
    #expect(followed.readEnded(window, followed.readBegan()) == .tell(window))
  }

  /// Its announcement may have been missed: whoever went on with an older settled view would forget strays too early.
  @Test func aChangeTellsWhichViewHasSettled() throws {
    let change = try ViewAnnouncement(encoded: Self.change)
    let (older, first) = (try view(0, [1, 2]), try view(1, [1, 2]))
    var missed = FollowedWindow()
    _ = missed.readEnded(Window(settled: older, current: first), missed.readBegan())
    guard case .tell(let next) = missed.announced(change) else {
      Issue.record("the change was not applied")
      return
    }
    #expect(next.settled == first && next.current.stamp.version == 2)
    // The registry has lost its data, and what had settled with it; or a view has that is not known here.
    var other = FollowedWindow()
    _ = other.readEnded(Window(settled: try view(7, [1]), current: first), other.readBegan())
    let unknown = try ViewAnnouncement(
      encoded: Self.change.replacing("99\t1\t0000000000000010", with: "99\t0\t0000000000000000"))
    #expect(other.announced(unknown) == .read)
  }

  @Test func aViewJudgesIncarnations() throws {
    let view = try view(1, [1, 3])
    #expect(view.standing(of: .init(rawValue: 3)) == .member(view.members[1]))
    #expect(view.standing(of: .init(rawValue: 2)) == .void)
    #expect(view.standing(of: .init(rawValue: 99)) == .void)
    #expect(view.standing(of: .init(rawValue: 100)) == .newerThanView)
  }
}
