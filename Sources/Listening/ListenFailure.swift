/// Why a server can't listen, in words: where, why, and which setting to change. The same for every server of a program,
/// whatever library it is built on.
internal import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

package struct ListenFailure: Error, Hashable, CustomStringConvertible {
  package let description: String

  /// - Parameters:
  ///   - what: for whom the server listens, as in "for clients".
  ///   - flag: the setting that says where.
  package init(_ cause: any Error, what: String, host: String, port: Int, flag: String) {
    let address = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]:\(port)" : "\(host):\(port)"
    description = "can't listen \(what) on \(address) (\(flag)): \(Self.reason(cause))"
  }

  private static func reason(_ cause: any Error) -> String {
    switch cause {
    case let error as IOError: reason(errno: error.errnoCode)
    case is SocketAddressError.UnknownHost, SocketAddressError.failedToParseIPString:
      "the name can't be resolved; give an address of this machine, or 0.0.0.0 for all it has"
    default: "\(cause)"
    }
  }

  private static func reason(errno: CInt) -> String {
    switch errno {
    case EADDRINUSE: "the port is in use by another program; stop that one, or choose another port"
    case EADDRNOTAVAIL: "this machine has no such address; give one that it has, or 0.0.0.0 for all of them"
    case EACCES: "this user may not listen on such a port; choose one above 1023"
    default: String(cString: strerror(errno))
    }
  }
}
