/// Decodes Huffman strings four bits at a time: each inner node of the code's tree is a state, 256 in all, and a table
/// of 16 KiB says for state and next four bits what comes out and which state follows. No code is shorter than five
/// bits, so at most one symbol does.
enum HuffmanDecoder {
  /// A step, in bits: 0 to 7 the next state, 8 to 15 the symbol, then these.
  private enum Step {
    static let emits: UInt32 = 1 << 16
    /// The end of string was met, which must not be sent.
    static let fails: UInt32 = 1 << 17
    /// A string may end here: within up to seven bits of padding, all of them ones.
    static let mayEnd: UInt32 = 1 << 18
  }

  private static let steps: [UInt32] = makeSteps()

  /// - Throws: COMPRESSION_ERROR when the end of string is in it, or the padding is too long or not ones
  ///   (RFC 7541, section 5.2).
  static func append(_ text: Span<UInt8>, to output: inout [UInt8]) throws(HTTP2Error) {
    let steps = steps
    var step = Step.mayEnd
    var met: UInt32 = 0
    for index in text.indices {
      let byte = UInt32(text[index])
      step = steps[Int((step & 0xff) << 4 | byte >> 4)]
      met |= step
      if step & Step.emits != 0 { output.append(UInt8(truncatingIfNeeded: step >> 8)) }
      step = steps[Int((step & 0xff) << 4 | byte & 0xf)]
      met |= step
      if step & Step.emits != 0 { output.append(UInt8(truncatingIfNeeded: step >> 8)) }
    }
    guard met & Step.fails == 0 else { throw HTTP2Error(.compressionError, "a Huffman string contains its end") }
    guard step & Step.mayEnd != 0 else { throw HTTP2Error(.compressionError, "a Huffman string is padded wrongly") }
  }

  /// The two children of each inner node: the number of another one, or a symbol.
  private enum Child {
    case none
    case node(Int)
    case symbol(Int)
  }

  private static func makeTree() -> [[Child]] {
    var tree: [[Child]] = [[.none, .none]]
    for symbol in HuffmanCode.lengths.indices {
      var node = 0
      for shift in (1..<Int(HuffmanCode.lengths[symbol])).reversed() {
        let bit = Int(HuffmanCode.codes[symbol] >> UInt32(shift) & 1)
        if case .node(let next) = tree[node][bit] {
          node = next
        } else {
          tree.append([.none, .none])
          tree[node][bit] = .node(tree.count - 1)
          node = tree.count - 1
        }
      }
      tree[node][Int(HuffmanCode.codes[symbol] & 1)] = .symbol(symbol)
    }
    return tree
  }

  private static func makeSteps() -> [UInt32] {
    let tree = makeTree()
    var ends = Set([0])
    var node = 0
    for _ in 1...7 {
      guard case .node(let next) = tree[node][1] else { break }
      node = next
      ends.insert(node)
    }
    return tree.indices.flatMap { state in
      (0..<16).map { bits in makeStep(tree, from: state, bits: bits, ends: ends) }
    }
  }

  private static func makeStep(_ tree: [[Child]], from state: Int, bits: Int, ends: Set<Int>) -> UInt32 {
    var node = state
    var step: UInt32 = 0
    for shift in [3, 2, 1, 0] {
      switch tree[node][bits >> shift & 1] {
      case .node(let next): node = next
      case .symbol(let symbol) where symbol < HuffmanCode.endOfString:
        step |= Step.emits | UInt32(symbol) << 8
        node = 0
      // Every place of the tree is taken, so `none` stands for nothing here.
      case .symbol, .none: return Step.fails
      }
    }
    return step | UInt32(node) | (ends.contains(node) ? Step.mayEnd : 0)
  }
}
