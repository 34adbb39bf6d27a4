public import Foundation

/// A certificate authority of the test's own, and a server certificate of it for 127.0.0.1 and localhost (PEM files).
public struct TestCertificates: Sendable {
  public let authority: URL
  public let certificate: URL
  public let key: URL
  /// Keeps the files.
  private let directory: TemporaryDirectory

  public init(in directory: TemporaryDirectory) async throws {
    self.directory = directory
    authority = directory.file("authority.pem")
    certificate = directory.file("server.pem")
    key = directory.file("server.key")
    let authorityKey = directory.file("authority.key").path
    let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    try await ProcessHandle.run(
      "openssl",
      ["req", "-x509"] + curve + [
        "-subj", "/CN=PushRing test authority \(UUID().uuidString)", "-keyout", authorityKey, "-out", authority.path,
      ])
    try await ProcessHandle.run(
      "openssl",
      ["req", "-x509"] + curve + [
        "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-addext", "basicConstraints=critical,CA:FALSE", "-CA", authority.path, "-CAkey", authorityKey,
        "-keyout", key.path, "-out", certificate.path,
      ])
  }
}
