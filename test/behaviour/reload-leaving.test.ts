/** Connections that do not follow a reload: those that their address would no longer accept, and certified clients. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import net from 'node:net'
import { after, test } from 'node:test'
import tls from 'node:tls'
import { Certificates } from '../harness/certificates.ts'
import { Client, startViaduct } from '../harness/server.ts'

const certificates = new Certificates()
const pair = certificates.make('one.example')
const root = certificates.make('root', { authority: true })
const near = certificates.make('near', { issuer: root })
/** Answers an upgrade, and then says back what comes. */
const echo = net.createServer((socket) => {
  socket.on('error', () => {})
  socket.once('data', () => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n')
    socket.pipe(socket)
  })
})
echo.listen(0, '127.0.0.1')
await once(echo, 'listening')
after(() => certificates.remove())
after(() => void echo.close())
const { port: back } = echo.address() as net.AddressInfo
const ssl = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`
const GET = 'GET / HTTP/1.1\r\nHost: x\r\n'

const CHANGES = {
  ssl: `listen 127.0.0.1:%%PORT_0%% ssl; ${ssl}`,
  proxy_protocol: 'listen 127.0.0.1:%%PORT_0%% proxy_protocol;',
}
for (const engine of ['io_uring', 'epoll']) {
  const conf = (listen: string, text: string): string => `events { use ${engine}; }
    http { server { ${listen} return 200 ${text}; } }`
  for (const [name, listen] of Object.entries(CHANGES)) {
    test(`${engine}: an address that asks for ${name} from now on`, async () => {
      await using server = await startViaduct(conf('listen 127.0.0.1:%%PORT_0%%;', 'one'))
      using idle = await server.connect()
      idle.write(`${GET}\r\n`)
      await idle.until(/one$/)
      using busy = await server.connect()
      busy.write(`${GET}\r\n${GET}`)
      await busy.until(/one$/)
      await server.reload(conf(listen, 'two'))
      await idle.rest()
      busy.write('\r\n')
      assert.match(await busy.rest(), /\r\nConnection: close\r\n/)
    })
  }

  test(`${engine}: certified clients show their certificates again, others stay`, async () => {
    const verified = (mode: string) => `listen 127.0.0.1:%%PORT_0%% ssl; ${ssl}
      ssl_verify_client ${mode}; ssl_client_certificate ${root.certFile};`
    const connect = async (port: number): Promise<Client> => {
      const socket = tls.connect({ port, cert: near.cert, key: near.key, rejectUnauthorized: false })
      await once(socket, 'secureConnect')
      const client = new Client(socket)
      client.write(`${GET}\r\n`)
      await client.until(/one$/)
      return client
    }
    await using server = await startViaduct(conf(verified('on'), 'one'))
    using certified = await connect(server.port())
    await server.reload(conf(verified('off'), 'one'))
    await certified.rest()
    using other = await connect(server.port())
    await server.reload(conf(verified('off'), 'two'))
    other.write(`${GET}\r\n`)
    await other.until(/two$/)
  })

  test(`${engine}: worker_shutdown_timeout ends what is under way at an address that is gone`, async () => {
    const conf = (listen: string): string => `worker_shutdown_timeout 100ms;
      events { use ${engine}; }
      http { server { ${listen} location / { proxy_pass http://127.0.0.1:${back}; proxy_http_version 1.1;
      proxy_set_header Connection upgrade; proxy_set_header Upgrade x; } } }`
    const both = 'listen 127.0.0.1:%%PORT_0%%; listen 127.0.0.1:%%PORT_1%%;'
    await using server = await startViaduct(conf(both))
    const open = async (n: number): Promise<Client> => {
      const client = await server.connect(n)
      client.write(`${GET}Connection: upgrade\r\nUpgrade: x\r\n\r\n`)
      await client.until(/ 101 /)
      return client
    }
    using stays = await open(0)
    using goes = await open(1)
    await server.reload(conf('listen 127.0.0.1:%%PORT_0%%;'))
    await goes.rest()
    await server.logged(/\[warn\] .*request is cut off because worker_shutdown_timeout is over/)
    stays.write('still here')
    await stays.until(/still here$/)
  })
}
