import NIOCore
import NIOSSL

/// `rediss://`: certificate and host name are always verified.
enum TLS {
  /// Read anew for each connection, so that a replaced file of the authority is seen at the next reconnect.
  static func context(_ configuration: RedisConfiguration) throws(RedisError) -> NIOSSLContext? {
    guard configuration.usesTLS else { return nil }
    var tls = TLSConfiguration.makeClientConfiguration()
    if let file = configuration.tlsCertificateAuthorityFile { tls.trustRoots = .file(file) }
    do {
      return try NIOSSLContext(configuration: tls)
    } catch {
      let file = configuration.tlsCertificateAuthorityFile ?? "the system's"
      throw RedisError(
        code: .configuration,
        message: "\(configuration.address): can't read the certificate authority '\(file)' (PEM is expected): \(error)",
        mayHaveRun: false)
    }
  }

  static func handler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
    do {
      return try NIOSSLClientHandler(context: context, serverHostname: host)
    } catch let error as NIOSSLExtraError where error == .cannotUseIPAddressInSNI {
      // An address is not sent as a name; it is checked against the certificate's IP addresses.
      return try NIOSSLClientHandler(context: context, serverHostname: nil)
    }
  }
}
