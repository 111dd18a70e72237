import Testing

@testable import StatusPage

struct EventHubTests {
    @Test func eachListenerHearsEachMessageInOrder() async {
        let hub = EventHub(listenersMax: 4)
        let streams = [hub.listen(), hub.listen()].compactMap { $0 }
        #expect(streams.count == 2)
        for number in 0..<10 { hub.send([UInt8(number)]) }
        hub.end()
        for stream in streams {
            var heard: [UInt8] = []
            for await message in stream { heard += message }
            #expect(heard == Array(0..<10))
        }
    }

    @Test func oneThatDoesNotKeepUpIsLetGoAndTheOthersStay() async {
        let hub = EventHub(listenersMax: 2, waitingMax: 8)
        let slow = hub.listen()
        for number in 0..<9 { hub.send([UInt8(number)]) }
        #expect(hub.count == 0)
        let quick = hub.listen()
        hub.send([42])
        hub.end()
        var heard: [[UInt8]] = []
        if let slow { for await message in slow { heard.append(message) } }
        #expect(heard.count == 8)
        var others: [[UInt8]] = []
        if let quick { for await message in quick { others.append(message) } }
        #expect(others == [[42]])
    }

    @Test func moreThanTheBoundAreRefusedUntilOneLeaves() async {
        let hub = EventHub(listenersMax: 1)
        var first = hub.listen()
        #expect(first != nil)
        #expect(hub.listen() == nil)
        first = nil
        #expect(hub.count == 0)
        #expect(hub.listen() != nil)
        hub.end()
        #expect(hub.listen() == nil)
    }
}
