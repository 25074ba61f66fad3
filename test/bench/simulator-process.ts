/** The simulated API in a process of its own, so that it shares no event loop with what is measured. */
import { startSimulator } from '../../src/simulator/simulator.js'

const simulator = await startSimulator({
  createRuns: true,
  requestLimit: 1,
  faults: { latencyMs: Number(process.argv[2]) },
})
process.on('message', () => process.send?.({ applied: simulator.counters.applied, peak: simulator.peakPerSecond() }))
process.on('disconnect', () => process.exit())
process.send?.({ url: simulator.url })
