import LinuxIO
import Testing

@Suite struct MonitorTests {
    /// Numbers go through one place from thread to thread: none is lost, and all wake.
    @Test(arguments: [1, 2, 5])
    func whoWaitsIsWokenByAChangeAndSeesIt(readers: Int) {
        let count = 2_000
        let place = Monitor<Int?>(nil)
        let sums = Monitor(0)
        let threads = (0..<readers).map { _ in
            WorkerThread {
                while true {
                    let number = place.wait { value -> (Int, wakes: Bool)? in
                        guard let number = value else { return nil }
                        if number >= 0 { value = nil }
                        return (number, wakes: true)
                    }
                    if number < 0 { return }
                    sums.change { (($0 += number), wakes: false) }
                }
            }
        }
        for number in 1...count {
            place.wait { value -> (Void, wakes: Bool)? in
                guard value == nil else { return nil }
                value = number
                return ((), wakes: true)
            }
        }
        place.wait { value -> (Void, wakes: Bool)? in
            guard value == nil else { return nil }
            value = -1
            return ((), wakes: true)
        }
        for thread in threads { thread.join() }
        #expect(sums.change { ($0, wakes: false) } == count * (count + 1) / 2)
    }
}
