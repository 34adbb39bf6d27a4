import EdgeEngine
import HTTP2Wire
import SessionEdge
import Testing

/// RFC 9113, sections 8.2 and 8.3, and "Requests" of gRPC over HTTP/2.
@Suite struct RequestHeadTests {
  /// What comes of a call with these fields.
  private func answer(_ headers: HeaderList) throws -> Said? {
    var (served, client) = try connected()
    client.open(3, headers)
    served.receive(client.take())
    #expect(!served.engine.isFinished)
    return try served.said().first
  }

  private func request(_ more: (String, String)...) -> HeaderList {
    var list = ClientBytes.request
    for (name, value) in more { list.append(name, value) }
    return list
  }

  @Test(arguments: [
    ("Upper", "x"), ("a b", "x"), ("a:b", "x"), ("", "x"), ("a\u{7f}", "x"), ("a", "x\r"), ("a", "x\ny"), ("a", "x\0"),
    ("a", " x"), ("a", "x\t"), ("connection", "close"), ("keep-alive", "1"), ("proxy-connection", "x"),
    ("transfer-encoding", "chunked"), ("upgrade", "h2c"), ("te", "gzip"), (":path", "/late"),
  ]) func malformedFieldsResetTheirStream(name: String, value: String) throws {
    #expect(try answer(request((name, value))) == .reset(3, .protocolError))
  }

  @Test(
    arguments: [
      [":method": "POST", ":scheme": "http"], [":method": "POST", ":path": "/a/b"],
      [":scheme": "http", ":path": "/a/b"],
      [":method": "POST", ":scheme": "http", ":path": "a"], [":method": "POST", ":scheme": "http", ":path": ""],
      [":method": "POST", ":scheme": "http", ":path": "", ":path": "/a/b"],
      [":method": "POST", ":method": "POST", ":scheme": "http", ":path": "/a/b"],
      [":method": "POST", ":scheme": "http", ":path": "/a/b", ":status": "200"],
      [":method": "POST", ":scheme": "http", ":path": "/a/b", ":unknown": "x"],
    ] as [HeaderList]) func requestsWithoutTheirPseudoFieldsOrWithOthersAreReset(headers: HeaderList) throws
  {
    #expect(try answer(headers) == .reset(3, .protocolError))
  }

  @Test(arguments: ["application/grpc", "application/grpc+proto", "application/grpc;charset=utf-8"])
  func whatStartsAsGRPCIsServed(type: String) throws {
    let headers: HeaderList = [":method": "POST", ":scheme": "http", ":path": "/a/b", "content-type": type]
    #expect(try answer(headers) == nil)
  }

  @Test(
    arguments: [
      ("1H", 3_600_000), ("2M", 120_000), ("3S", 3_000), ("4m", 4), ("5000u", 5), ("6000000n", 6), ("99999999H", nil),
    ] as [(String, Milliseconds?)]) func everyUnitOfATimeLimitIsKnown(text: String, milliseconds: Milliseconds?) throws
  {
    var (served, client) = try connected()
    FrameWriter.appendReset(stream: 1, code: .cancel, to: &client.bytes)
    client.open(3, request(("grpc-timeout", text)))
    served.receive(client.take())
    // Other limits come later than all of these; a PING is nothing to wait for.
    let due = served.engine.nextDeadline - served.now
    #expect(due == milliseconds.map { min($0, 30_000) } ?? 30_000)
  }

  @Test(arguments: ["", "S", "1", "1x", "+1S", "-1S", "1.5S", "123456789S", " 1S"])
  func aTimeLimitThatIsNoneResetsTheCall(text: String) throws {
    #expect(try answer(request(("grpc-timeout", text))) == .reset(3, .protocolError))
  }

  @Test func metadataReachTheApplicationInOrderAndWithoutPseudoFields() throws {
    var (served, client) = try connected()
    client.open(3, request(("a", "1"), ("b-bin", "AAE="), ("a", "2")))
    var seen: [String] = []
    var rest = client.take()[...]
    served.step { engine, now, output, events in
      engine.receive(&rest, now: now, into: &output, events: &events)
      for case .opened(_, let head, _) in events { seen = head.metadata.map { "\($0)=\($1)" } }
    }
    #expect(seen == ["te=trailers", "content-type=application/grpc", "a=1", "b-bin=AAE=", "a=2"])
  }
}
