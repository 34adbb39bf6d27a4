import CEpoll
import Glibc
import Testing

@testable import EpollSessionEdge

@Suite struct AddressLimiterTests {
  private let here = PeerAddress.version4(1)
  private let there = PeerAddress.version4(2)

  @Test func anAddressHasAsManyOpenConnectionsAsItMay() {
    var limiter = AddressLimiter(open: 2, perSecond: 0)
    let first = (0..<3).map { _ in limiter.admit(here, now: 0) }
    #expect(first == [true, true, false])
    let other = limiter.admit(there, now: 0)
    #expect(other)
    limiter.left(here, now: 5)
    let again = (0..<2).map { _ in limiter.admit(here, now: 5) }
    #expect(again == [true, false])
  }

  @Test func newConnectionsAreLimitedByTheSecondWithTenSecondsWorthAtOnce() {
    var limiter = AddressLimiter(open: 0, perSecond: 5)
    func admitted(_ count: Int, at now: Int64) -> Int {
      (0..<count).count { _ in
        guard limiter.admit(here, now: now) else { return false }
        limiter.left(here, now: now)
        return true
      }
    }
    #expect(admitted(60, at: 0) == 50)
    #expect(admitted(60, at: 199) == 0)
    #expect(admitted(60, at: 200) == 1)
    #expect(admitted(60, at: 1_200) == 5)
    #expect(admitted(60, at: 100_000) == 50)
    let other = limiter.admit(there, now: 0)
    #expect(other)
  }

  @Test func addressesAreForgottenWhenTheyMeanNothing() {
    var limiter = AddressLimiter(open: 1, perSecond: 1)
    for number in 0..<10_000 {
      let address = PeerAddress.version6Network(UInt64(number))
      let isAdmitted = limiter.admit(address, now: Int64(number))
      #expect(isAdmitted)
      limiter.left(address, now: Int64(number))
    }
    // A connection is earned back in a second, so a thousand of them count, and as many again until it is looked.
    #expect(limiter.count <= 2_100)
    var open = AddressLimiter(open: 1, perSecond: 0)
    for number in 0..<10_000 {
      _ = open.admit(.version6Network(UInt64(number)), now: 0)
      open.left(.version6Network(UInt64(number)), now: 0)
    }
    #expect(open.count == 0)
  }

  @Test func anIPv6ClientCountsByItsNetworkAndAMappedOneByItsIPv4Address() {
    func address(_ text: String) -> PeerAddress {
      var storage = sockaddr_storage()
      if text.contains(":") {
        storage.ss_family = sa_family_t(AF_INET6)
        withUnsafeMutableBytes(of: &storage) { _ = inet_pton(AF_INET6, text, $0.baseAddress! + 8) }
      } else {
        storage.ss_family = sa_family_t(AF_INET)
        withUnsafeMutableBytes(of: &storage) { _ = inet_pton(AF_INET, text, $0.baseAddress! + 4) }
      }
      return PeerAddress(storage)
    }
    #expect(address("2001:db8:0:7::1") == address("2001:db8:0:7:ffff::9"))
    #expect(address("2001:db8:0:7::1") != address("2001:db8:0:8::1"))
    #expect(address("::ffff:192.0.2.7") == address("192.0.2.7"))
    #expect(address("::1") != address("0.0.0.1"))
    #expect("\(address("2001:db8:0:7::1"))" == "2001:db8:0:7::/64")
    #expect("\(address("192.0.2.7"))" == "192.0.2.7")
  }
}
