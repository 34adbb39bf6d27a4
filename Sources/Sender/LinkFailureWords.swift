internal import GRPCCore
internal import NIOCore

#if canImport(Glibc)
internal import Glibc
#elseif canImport(Musl)
internal import Musl
#elseif canImport(Darwin)
internal import Darwin
#endif

/// Why a connection to a pod failed, in words for the detail of a push's result: what the system said, if that is among
/// the errors that are wrapped in each other, or else the library's message without its cause.
func linkFailureWords(_ error: any Error) -> String {
  let chain = Array(sequence(first: error, next: cause))
  for case let error as IOError in chain { return words(errno: error.errnoCode) }
  guard let message = (error as? RPCError)?.message, !message.isEmpty else {
    return error is CancellationError ? "it was given up" : "\(error)"
  }
  return message.hasSuffix(".") ? String(message.dropLast()) : message
}

private func cause(of error: any Error) -> (any Error)? {
  switch error {
  case let error as RPCError: error.cause
  case let error as RuntimeError: error.cause
  default: nil
  }
}

private func words(errno: CInt) -> String {
  switch errno {
  case ECONNREFUSED: "it refuses connections"
  case ECONNRESET, EPIPE: "the connection was reset"
  case ETIMEDOUT: "the connection timed out"
  case EHOSTUNREACH, ENETUNREACH: "there is no way to its address"
  default: String(cString: strerror(errno))
  }
}
