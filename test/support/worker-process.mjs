// A worker in a process of its own, for tests that stop and kill it: options as JSON in the first argument. Says "ready"
// on its IPC channel, and closes on SIGTERM.
import { createWorker } from '../../dist/index.js'

const worker = createWorker(JSON.parse(process.argv[2]))
await worker.ready()
process.send('ready')
process.once('SIGTERM', async () => {
  await worker.close()
  process.disconnect()
})
// Its parent is gone: nobody would end it.
process.on('disconnect', () => process.exit())
