import EdgeFuzzing

/// libFuzzer's entry (llvm.org/docs/LibFuzzer.html); compiled by scripts/fuzz only.
@_cdecl("LLVMFuzzerTestOneInput") public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  if let violation = FuzzTarget.frames.violation(Array(UnsafeBufferPointer(start: bytes, count: count))) {
    fatalError(violation)
  }
  return 0
}
