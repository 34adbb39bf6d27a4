/// A server that a test needs did not do what it should; the message says which, and what it printed.
public struct TestServerError: Error, CustomStringConvertible {
  public let description: String
  public init(_ description: String) { self.description = description }
}
