import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'

export interface OldRedis {
  readonly url: string
  close(): Promise<void>
}

const bulk = (text: string): string => `$${Buffer.byteLength(text)}\r\n${text}\r\n`

const INFO = bulk('redis_version:6.0.16\r\nredis_mode:standalone\r\nloading:0\r\nmaxmemory_policy:noeviction\r\n')

/** A server that says what a Redis of version 6.0 says of itself, and nothing else. */
export async function startOldRedis(): Promise<OldRedis> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    let received = ''
    socket.on('error', () => {})
    socket.setEncoding('utf8').on('data', (text: string) => {
      received += text
      // Every command is a list of bulk strings: *<parts>, and then $<length> and the text of each.
      for (let match = COMMAND.exec(received); match; match = COMMAND.exec(received)) {
        const parts = Number(match[1])
        const lines = received.split('\r\n')
        if (lines.length < 2 * parts + 2) return
        received = lines.slice(2 * parts + 1).join('\r\n')
        const name = (lines[2] ?? '').toUpperCase()
        socket.write(answer(name))
        if (name === 'QUIT') socket.end()
      }
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `redis://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

const COMMAND = /^\*(\d+)\r\n/

function answer(name: string): string {
  switch (name) {
    case 'INFO':
      return INFO
    case 'HELLO':
      return `%1\r\n${bulk('proto')}:3\r\n`
    case 'CLIENT':
    case 'QUIT':
      return '+OK\r\n'
    case 'GET':
      return '$-1\r\n'
    default:
      return '-ERR unknown command\r\n'
  }
}
