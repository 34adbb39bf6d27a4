import HTTP2Wire

enum FramesFuzz {
  /// The first control byte says which side reads, the others how long the pieces are.
  static func check(_ input: FuzzInput) throws(Violation) {
    let role: Endpoint = (input.controls.first ?? 0) & 1 == 0 ? .server : .client
    let whole = read(input.data, role) { .max }
    let sizes = Array(input.controls.dropFirst())
    var position = 0
    let pieces = read(input.data, role) {
      position += 1
      return sizes.isEmpty ? 1 : Int(sizes[position % sizes.count]) + 1
    }
    try require(whole == pieces, "in pieces: \(pieces); whole: \(whole)")
    for frame in whole.frames { try checkWriting(frame) }
  }

  struct Outcome: Equatable {
    var frames: [Frame] = []
    var error: HTTP2Error?
    var passedOver = 0
    var isBetweenFrames = false
  }

  private static func read(_ data: ArraySlice<UInt8>, _ role: Endpoint, size: () -> Int) -> Outcome {
    var reader = FrameReader(role: role, maximumHeaderBlock: 500)
    var outcome = Outcome()
    var rest = data
    do throws(HTTP2Error) {
      while !rest.isEmpty {
        var piece = rest.prefix(size())
        rest = rest.dropFirst(piece.count)
        while let frame = try reader.next(from: &piece) { outcome.frames.append(frame) }
      }
    } catch {
      outcome.error = error
    }
    outcome.passedOver = reader.takePassedOver()
    outcome.isBetweenFrames = reader.isBetweenFrames
    return outcome
  }

  /// What was read, written and read again, is the same.
  private static func checkWriting(_ frame: Frame) throws(Violation) {
    var bytes: [UInt8] = []
    var expected = frame
    switch frame {
    case .data(let stream, let data, _, let end):
      expected = .data(stream: stream, bytes: data, flowControlled: data.count, endStream: end)
      FrameWriter.appendData(data, stream: stream, endStream: end, to: &bytes)
    case .headers(let stream, let block, let end):
      FrameWriter.appendHeaders(stream: stream, endStream: end, maximumFrameSize: 16_384, to: &bytes) { $0 += block }
    case .reset(let stream, let code): FrameWriter.appendReset(stream: stream, code: code, to: &bytes)
    case .settings(let settings): FrameWriter.appendSettings(settings, to: &bytes)
    case .settingsAcknowledged: FrameWriter.appendSettingsAcknowledgement(to: &bytes)
    case .ping(let data, let acknowledgement):
      FrameWriter.appendPing(data: data, acknowledgement: acknowledgement, to: &bytes)
    case .goAway(let stream, let code, let debug):
      FrameWriter.appendGoAway(lastStream: stream, code: code, debugData: Array(debug), to: &bytes)
    case .windowUpdate(let stream, let increment):
      FrameWriter.appendWindowUpdate(stream: stream, increment: increment, to: &bytes)
    case .priority, .pushPromise, .malformed: return
    }
    var greeting: [UInt8] = []
    FrameWriter.appendSettings([], to: &greeting)
    let written = read((greeting + bytes)[...], .client) { .max }
    // Settings are only valid from the side that may say them, of which enablePush is the difference.
    if case .settings = frame, written.error != nil { return }
    try require(
      written.frames == [.settings([]), expected] && written.isBetweenFrames, "\(expected) was read as \(written)")
  }
}
