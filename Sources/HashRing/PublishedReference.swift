internal import Atomics

/// Where the newest of a series of immutable values is published: one writer at a time swaps a reference, readers take
/// no lock and never wait for each other or for the writer.
///
/// A value that was read stays valid for as long as the reader holds it, whatever is published meanwhile. Reads are
/// ordered after the publication that they see (acquiring and releasing).
public final class PublishedReference<Value: Sendable>: Sendable {
  private final class Box: AtomicReference, Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
  }

  private let box: ManagedAtomic<Box>

  public init(_ value: Value) { box = ManagedAtomic(Box(value)) }

  /// The value published last.
  public func load() -> Value { box.load(ordering: .acquiring).value }

  /// Publishes `value`; look-ups that have begun go on with the value before.
  public func publish(_ value: Value) { box.store(Box(value), ordering: .releasing) }
}
