internal import ArgumentParser
internal import Foundation
internal import LoadClient

/// What a benchmark asks of its load processes, a line of JSON each, and what they answer.
struct LoadRequest: Codable, Sendable {
  enum Action: String, Codable, Sendable { case open, close, churn, measure, report, receipts, stop }

  var action: Action
  var plan: LoadPlan?
  var count: Int?
  var rate: Double?

  init(_ action: Action, plan: LoadPlan? = nil, count: Int? = nil, rate: Double? = nil) {
    self.action = action
    self.plan = plan
    self.count = count
    self.rate = rate
  }
}

struct LoadReply: Codable, Sendable {
  var report: LoadReport?
  var receipts: LoadReceipts?
}

/// A process that holds the clients of a benchmark: started by `pushring bench`, not by people.
struct LoadWorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "load-worker", abstract: "Hold clients for a benchmark.", shouldDisplay: false)

  @Option var sourceAddress = 1
  @Option var seed: UInt64 = 1
  @Option var dropEvery = 0

  func run() async throws {
    DescriptorLimit.raise()
    let pool = LoadPool(sourceAddress: sourceAddress, seed: seed, dropsEvery: dropEvery)
    let thread = Thread {
      do { try pool.run() } catch {
        printProgress("load-worker: \(error)")
        Foundation.exit(1)
      }
    }
    thread.name = "load"
    thread.start()
    // The end of the input is the end of whoever asked.
    for await line in inputLines(.standardInput) {
      let request = try JSONDecoder().decode(LoadRequest.self, from: Data(line.utf8))
      var reply = LoadReply()
      switch request.action {
      case .open: if let plan = request.plan { pool.open(plan) }
      case .close: pool.close(request.count ?? 0)
      case .churn: pool.churn(perSecond: request.rate ?? 0)
      case .measure: pool.startMeasuring()
      case .report: reply.report = await pool.report()
      case .receipts: reply.receipts = await pool.receipts()
      case .stop:
        pool.stop()
        return
      }
      printData(String(decoding: try JSONEncoder().encode(reply), as: UTF8.self) + "\n")
    }
    pool.stop()
  }
}

/// The benchmark's side of one.
actor LoadWorker {
  private let process: Process
  private let input: FileHandle
  private let lines: AsyncStream<String>

  init(sourceAddress: Int, seed: UInt64, dropEvery: Int) throws {
    guard let executable = Bundle.main.executableURL else { throw Failure("can't find this program's own file") }
    process = Process()
    process.executableURL = executable
    process.arguments = [
      "bench", "load-worker", "--source-address", "\(sourceAddress)", "--seed", "\(seed)", "--drop-every",
      "\(dropEvery)",
    ]
    let (toWorker, fromWorker) = (Pipe(), Pipe())
    process.standardInput = toWorker
    process.standardOutput = fromWorker
    try process.run()
    input = toWorker.fileHandleForWriting
    lines = inputLines(fromWorker.fileHandleForReading)
  }

  nonisolated var processID: Int32 { process.processIdentifier }

  /// One at a time, in order.
  func ask(_ request: LoadRequest) async throws -> LoadReply {
    var line = try JSONEncoder().encode(request)
    line.append(0x0a)
    try input.write(contentsOf: line)
    guard request.action != .stop else { return LoadReply() }
    guard let answer = await lines.first(where: { _ in true }) else {
      throw Failure("a load process ended; is there memory enough?")
    }
    return try JSONDecoder().decode(LoadReply.self, from: Data(answer.utf8))
  }

  func end() {
    try? input.close()
    if process.isRunning { kill(process.processIdentifier, SIGTERM) }
    process.waitUntilExit()
  }
}
