/** The simulated API in a process of its own, so that it shares no event loop with what is measured. */
import { startSimulator } from '../../src/simulator/simulator.js'
import type { Told } from './stage.js'

const simulator = await startSimulator({
  createRuns: true,
  requestLimit: 1,
  faults: { latencyMs: Number(process.argv[2]) },
})
const arrivals = new Map<string, number>()
simulator.on('request', ({ runId, arrivedAt }) => void arrivals.set(runId ?? '', arrivedAt))
process.on('message', () => {
  const told: Told = {
    url: simulator.url,
    applied: simulator.counters.applied,
    peak: simulator.peakPerSecond(),
    arrivals: [...arrivals],
  }
  process.send?.(told)
})
process.on('disconnect', () => process.exit())
process.send?.('ready')
