internal import HTTP2Wire

// What a pod sends.

extension LoadLoop {
  mutating func received(_ index: Int, _ bytes: ArraySlice<UInt8>, _ now: UInt64) {
    var rest = bytes
    do throws(HTTP2Error) {
      while sessions[index].socket >= 0, let frame = try sessions[index].frames.next(from: &rest) {
        handle(frame, index, now)
      }
    } catch {
      lost(index, "the pod does not speak HTTP/2: \(error)")
    }
  }

  private mutating func handle(_ frame: Frame, _ index: Int, _ now: UInt64) {
    switch frame {
    case .data(_, let bytes, let flowControlled, let endStream):
      readMessages(index, bytes, now)
      giveBack(index, flowControlled)
      if endStream { lost(index, "the pod ended the stream") }
    case .headers(_, let block, let endStream):
      if endStream { lost(index, status(block)) }
    case .settings: send(index) { FrameWriter.appendSettingsAcknowledgement(to: &$0) }
    case .ping(let data, let isAcknowledgement):
      if !isAcknowledgement { send(index) { FrameWriter.appendPing(data: data, acknowledgement: true, to: &$0) } }
    case .reset(_, let code): lost(index, "the pod reset the stream: \(code)")
    case .goAway(_, let code, _): if code != .noError { lost(index, "the pod ended the connection: \(code)") }
    case .malformed(let error): lost(index, "the pod does not speak HTTP/2: \(error)")
    case .settingsAcknowledged, .windowUpdate, .priority, .pushPromise: break
    }
  }

  /// For people: reason and message of the trailers.
  private func status(_ block: ArraySlice<UInt8>) -> String {
    var decoder = HPACKDecoder()
    var headers = HeaderList()
    guard (try? decoder.decode(block, into: &headers)) != nil else { return "the pod ended the stream" }
    var text = "the pod ended the stream"
    for field in headers {
      let value = String(decoding: field.value, as: UTF8.self)
      if field.name.elementsEqual("pushring-reason".utf8) { text += ": \(value)" }
      if field.name.elementsEqual("grpc-status".utf8), value != "0" { text += ", status \(value)" }
    }
    return text
  }

  /// Half a window at a time, for the connection and the stream alike.
  private mutating func giveBack(_ index: Int, _ count: Int) {
    guard sessions[index].socket >= 0 else { return }
    sessions[index].consumed += Int32(count)
    guard sessions[index].consumed >= 32_000 else { return }
    let increment = UInt32(sessions[index].consumed)
    sessions[index].consumed = 0
    send(index) { output in
      FrameWriter.appendWindowUpdate(stream: 0, increment: increment, to: &output)
      FrameWriter.appendWindowUpdate(stream: 1, increment: increment, to: &output)
    }
  }

  private mutating func readMessages(_ index: Int, _ bytes: ArraySlice<UInt8>, _ now: UInt64) {
    var rest = bytes
    do throws(GRPCFramingError) {
      while sessions[index].socket >= 0, let message = try sessions[index].messages.next(from: &rest) {
        guard let frame = ServerFrame(message.bytes) else { return lost(index, "the pod sent what is no ServerFrame") }
        handle(frame, index, now)
      }
    } catch {
      lost(index, "the pod does not speak gRPC: \(error)")
    }
  }

  private mutating func handle(_ frame: ServerFrame, _ index: Int, _ now: UInt64) {
    switch frame {
    case .welcome(let epoch, let successors): welcomed(index, epoch, successors, now)
    case .message(let payload): messageCame(index, payload, now)
    case .reconnect(let endpoint, let ticket):
      if !endpoint.isEmpty { move(index, to: endpointIndex(endpoint), ticket: ticket) }
    case .ping(let nonce):
      let pong = pongFrame(nonce: nonce)
      var framed: [UInt8] = []
      appendMessage(pong, to: &framed)
      send(index) { $0 += framed }
    case .other: break
    }
  }

  private mutating func welcomed(_ index: Int, _ epoch: UInt64, _ successors: [String], _ now: UInt64) {
    sessions[index].phase = .live
    sessions[index].epoch = epoch
    sessions[index].failures = 0
    report.welcomes += 1
    let took = (now - sessions[index].began) / 1_000
    if sessions[index].role == .arriving {
      if measuringSince != nil { receipts.moves.record(took) }
      moved(index)
    } else if measuringSince != nil {
      receipts.connects.record(took)
    }
    interval(now) { $0.welcomes += 1 }
    // Where to go when this pod is lost.
    if let first = successors.first { sessions[index].endpoint = Int32(endpointIndex(first)) }
  }

  private mutating func endpointIndex(_ text: String) -> Int {
    if let known = endpoints.firstIndex(where: { $0.text == text }) { return known }
    endpoints.append(LoadEndpoint(text))
    return endpoints.count - 1
  }

  private mutating func messageCame(_ index: Int, _ payload: ArraySlice<UInt8>, _ now: UInt64) {
    report.messages += 1
    if dropsEvery > 0, report.messages.isMultiple(of: dropsEvery) { return }
    guard let message = LoadMessage(payload: payload) else {
      report.strangers += 1
      return
    }
    guard measuringSince != nil else { return }
    let push = Int(message.push)
    guard push < Self.maximumPushes else { return }
    while receipts.sessions.count <= push { receipts.sessions.append(0) }
    let bit = UInt64(1) << UInt64(sessions[index].number % 64)
    if receipts.sessions[push] & bit != 0, !message.isShared {
      // Both streams of a session that moves deliver.
      if sessions[index].partner < 0 { report.duplicates += 1 }
      return
    }
    receipts.sessions[push] |= bit
    let latency = now > message.due ? (now - message.due) / 1_000 : 0
    receipts.latencies.record(latency)
    interval(now) { interval in
      interval.messages += 1
      interval.latency = max(interval.latency, latency)
    }
  }

  /// Bounds what a run remembers.
  private static let maximumPushes = 20_000_000
}
