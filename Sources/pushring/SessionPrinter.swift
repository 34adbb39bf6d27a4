internal import Administration
internal import Foundation
internal import SessionClient

/// Prints what happens to a session, for people or for programs.
struct SessionPrinter {
  let format: ConnectCommand.ConnectOutput

  func print(_ event: SessionEvent) {
    switch format {
    case .text: printText(event)
    // Texts and numbers only: there is nothing that could not be encoded.
    case .json: printData((try? reportJSON(SessionLine(event))) ?? "")
    }
  }

  private func printText(_ event: SessionEvent) {
    switch event {
    case .welcomed(let welcome):
      printProgress("session \(welcome.session) is open on pod \(welcome.pod) (\(welcome.endpoint))")
    case .message(let message):
      printData(
        (String(validating: message.payload, as: UTF8.self) ?? Data(message.payload).base64EncodedString()) + "\n")
    case .missed(let count): printProgress("\(count) messages were dropped, as they were not read fast enough")
    case .moving(let reason, let endpoint):
      printProgress("moving\(endpoint.isEmpty ? "" : " to \(endpoint)"): \(reason)")
    case .reconnecting(let reason, let pause):
      printProgress("reconnecting in \(pause.formatted(.units(allowed: [.seconds, .milliseconds]))): \(reason)")
    case .ended(let reason): printProgress("session ended: \(reason)")
    }
  }
}

/// One line of `connect --output json`; what does not belong to the event is left out.
struct SessionLine: Encodable {
  var event: String
  var session: String?
  var pod: String?
  var epoch: UInt64?
  var endpoint: String?
  var id: String?
  var payload: String?
  var payloadBase64: String?
  var headers: [String: String]?
  var sentAtUnixMicros: Int64?
  /// Of a gap: how many are missing.
  var messages: Int?
  var reason: String?
  /// Of an end: no other attempt follows.
  var final: Bool?
  var pauseSeconds: Double?

  init(_ event: SessionEvent) {
    switch event {
    case .welcomed(let welcome):
      self.event = "welcome"
      session = welcome.session
      pod = welcome.pod
      epoch = welcome.epoch
      endpoint = welcome.endpoint
    case .message(let message):
      self.event = "message"
      id = message.id
      payload = String(validating: message.payload, as: UTF8.self)
      if payload == nil { payloadBase64 = Data(message.payload).base64EncodedString() }
      headers = message.headers
      pod = message.pod
      sentAtUnixMicros = message.sentAtUnixMicroseconds
    case .missed(let count):
      self.event = "dropped"
      messages = count
    case .moving(let reason, let endpoint):
      self.event = "reconnect"
      self.reason = reason
      self.endpoint = endpoint
    case .reconnecting(let reason, let pause):
      self.event = "ended"
      self.reason = reason
      final = false
      pauseSeconds = pause / .seconds(1)
    case .ended(let reason):
      self.event = "ended"
      final = true
      self.reason = reason.description
    }
  }
}
