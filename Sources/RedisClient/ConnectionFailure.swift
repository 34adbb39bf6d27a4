import NIOCore
import NIOPosix
import NIOSSL

#if canImport(Glibc)
import Glibc
#endif

/// NIO's and TLS' errors in words that say what to do.
enum ConnectionFailure {
  static func error(_ error: any Error, _ configuration: RedisConfiguration) -> RedisError {
    if let error = error as? RedisError { return error }
    return RedisError(
      code: .unavailable, message: "\(configuration.address): \(text(error, configuration))", mayHaveRun: false)
  }

  static func text(_ error: any Error, _ configuration: RedisConfiguration) -> String {
    switch error {
    case let error as NIOConnectionError: return text(error, configuration)
    case let error as IOError: return text(error)
    case ChannelError.connectTimeout:
      return "no connection within \(configuration.connectTimeout.formatted): check address, firewall, and network"
    case let error as NIOSSLError:
      return "TLS failed: \(error); check that the server speaks TLS on this port, and that its certificate is for "
        + "'\(configuration.host)' and signed by \(authority(configuration))"
    default: return "\(error)"
    }
  }

  private static func text(_ error: NIOConnectionError, _ configuration: RedisConfiguration) -> String {
    if let first = error.connectionErrors.first?.error { return text(first, configuration) }
    if error.dnsAError != nil || error.dnsAAAAError != nil {
      return "the name '\(error.host)' can't be resolved: check it for typing errors, and the DNS"
    }
    return "\(error)"
  }

  private static func text(_ error: IOError) -> String {
    switch error.errnoCode {
    case ECONNREFUSED: "connection refused: check that redis-server runs and listens there"
    case ECONNRESET: "the connection was reset"
    case let code: String(cString: strerror(code))
    }
  }

  private static func authority(_ configuration: RedisConfiguration) -> String {
    configuration.tlsCertificateAuthorityFile.map { "the authority in '\($0)'" } ?? "an authority the system trusts"
  }
}
