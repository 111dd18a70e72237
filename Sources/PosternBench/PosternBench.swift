import ArgumentParser

/// Benchmarks of Postern's rooms; not shipped. A figure comes with machine, build and spread.
@main
struct PosternBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "PosternBench",
        abstract: "Measures what Postern's figures rest on.",
        subcommands: [
            RingBench.self, LinesBench.self, ReplayBench.self, ReadBench.self, LiveBench.self,
            JournalBench.self,
            CheckpointBench.self, DialectBench.self, RulesBench.self, WindowsBench.self,
            MemoryBench.self, SealBench.self, StartBench.self,
        ]
    )
}
