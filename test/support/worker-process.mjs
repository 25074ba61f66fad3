// A worker in a process of its own, for tests that stop and kill it: options as JSON in the first argument. Says "ready"
// on its IPC channel, and closes on SIGTERM.
import { ApiKey } from '../../dist/sift/api-key.js'
import { createWorker } from '../../dist/worker/worker.js'

const { sift, ...options } = JSON.parse(process.argv[2])
const apiKey = typeof sift.apiKey === 'string' ? sift.apiKey : await ApiKey.fromFile(sift.apiKey.file)
const worker = createWorker({ ...options, sift: { ...sift, apiKey } })
await worker.ready()
process.send('ready')
process.once('SIGTERM', async () => {
  await worker.close()
  process.disconnect()
})
// Its parent is gone: nobody would end it.
process.on('disconnect', () => process.exit())
