import Foundation
import SwiftProtobuf
import Testing
import Wire

@testable import LoadClient

@Suite struct LoadClientTests {
  @Test func framesAreReadAsTheyAreWritten() throws {
    var welcome = Pushring_V1_ServerFrame()
    welcome.welcome.sessionID = "s0"
    welcome.welcome.podID = "pod-1"
    welcome.welcome.epoch = 1_795_000_000_000_000
    welcome.welcome.view.version = 7
    for endpoint in ["127.0.0.1:1", "127.0.0.1:2"] {
      var pod = Pushring_V1_PodEndpoint()
      pod.podID = "pod"
      pod.endpoint = endpoint
      welcome.welcome.successors.append(pod)
    }
    #expect(
      try frame(welcome) == .welcome(epoch: 1_795_000_000_000_000, successors: ["127.0.0.1:1", "127.0.0.1:2"]))
    var message = Pushring_V1_ServerFrame()
    message.message.id = "m1"
    message.message.headers = ["a": "b"]
    message.message.sentAtUnixMicros = 5
    message.message.payload = Data("hello".utf8)
    #expect(try frame(message) == .message(payload: Array("hello".utf8)[...]))
    var ping = Pushring_V1_ServerFrame()
    ping.ping.nonce = 300
    #expect(try frame(ping) == .ping(nonce: 300))
    var reconnect = Pushring_V1_ServerFrame()
    reconnect.reconnect.endpoint.endpoint = "127.0.0.1:9"
    reconnect.reconnect.deadlineMillis = 1_000
    reconnect.reconnect.ticket = Data([1, 2, 3])
    #expect(try frame(reconnect) == .reconnect(endpoint: "127.0.0.1:9", ticket: [1, 2, 3]))
  }

  private func frame(_ wire: Pushring_V1_ServerFrame) throws -> ServerFrame? {
    let bytes: [UInt8] = try wire.serializedBytes()
    return ServerFrame(bytes[...])
  }

  @Test func whatIsNoProtobufIsToldAsSuch() {
    #expect(ServerFrame([0xff, 0xff, 0xff]) == .other || ServerFrame([0xff, 0xff, 0xff]) == nil)
    // A field that says to be longer than what there is.
    #expect(ServerFrame([0x12, 0x7f, 0x01]) != .message(payload: []))
  }

  @Test func aHelloIsWhatThePodReads() throws {
    let bytes = helloFrame(user: "user-1", session: "s0", epoch: 1_795_000_000_000_001, ticket: [7, 8])
    let wire = try Pushring_V1_ClientFrame(serializedBytes: bytes)
    #expect(wire.hello.capabilities.moves && wire.hello.ticket == Data([7, 8]))
    #expect(wire.hello.userID == "user-1" && wire.hello.sessionID == "s0")
    #expect(wire.hello.epoch == 1_795_000_000_000_001)
    #expect(try Pushring_V1_ClientFrame(serializedBytes: pongFrame(nonce: 300)).pong.nonce == 300)
  }

  @Test func aPayloadSaysWhenItWasDueAndWhichPushItIs() {
    let message = LoadMessage(due: 1 << 50 + 3, push: 77)
    let payload = message.payload(count: 200)
    #expect(payload.count == 200)
    #expect(LoadMessage(payload: payload[...]) == message)
    #expect(
      LoadMessage(payload: LoadMessage(due: 1, push: 2, isShared: true).payload(count: 16)[...])?.isShared == true)
    #expect(LoadMessage(payload: Array("hello, this is another one".utf8)[...]) == nil)
    #expect(LoadMessage(payload: []) == nil)
  }

  @Test func bucketsKeepTwoDigits() {
    for value: UInt64 in [0, 1, 127, 255, 256, 257, 999, 1_000, 65_535, 65_536, 1_234_567, 1 << 39] {
      var buckets = LatencyBuckets()
      buckets.record(value)
      let highest = LatencyBuckets.highest(LatencyBuckets.index(value))
      #expect(highest >= value && highest - value <= value / 128)
      #expect(buckets.total == 1 && buckets.largest == value && buckets.values.map(\.value) == [value])
    }
    var (one, two) = (LatencyBuckets(), LatencyBuckets())
    for value: UInt64 in 0..<1_000 { one.record(value * 3) }
    for value: UInt64 in 0..<1_000 { two.record(value * 3 + 1) }
    one.add(two)
    #expect(one.total == 2_000 && one.largest == 2_998)
    #expect(one.values.map(\.value) == one.values.map(\.value).sorted())
  }
}
