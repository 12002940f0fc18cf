/** Sessions: resumed by tickets and from caches, over workers and reloads, and never where they were not made. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { whyNoRing, whyNoSsl } from '../../src/net/engine.ts'
import { Certificates } from '../harness/certificates.ts'
import { startViaduct } from '../harness/server.ts'
import { type AskOptions, askTls, sessionFor } from '../harness/tls-client.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const pair = certificates.make('one.example')
const ca = certificates.make('ca', { authority: true })
const otherCa = certificates.make('other-ca', { authority: true })
const client = certificates.make('client', { issuer: ca })
const own = `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const

/** Connects twice, the second time with the session of the first; several times, for several workers. */
async function isResumed(port: number, options: AskOptions): Promise<boolean> {
  const first = await askTls(port, options)
  assert.equal(first.reused, false)
  if (first.session === undefined) return false
  let resumed = true
  for (let n = 0; n < 4; n++) {
    const { reused, body } = await askTls(port, { ...options, session: first.session })
    assert.match(body, reused ? /\br$/ : /\.$/)
    resumed &&= reused
  }
  return resumed
}

const why = whyNoRing() || whyNoSsl()
const options = why === '' ? {} : { skip: why }

test('TLSv1.2: sessions have no ids where nothing is resumed by them', options, async () => {
  const only = { minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' } as const
  await using server =
    await startViaduct(`events { use io_uring; io_uring_tls on; } http { ${own} ssl_session_tickets off;
    server { listen 127.0.0.1:%%PORT_0%% ssl; ssl_session_cache off; return 200 "[$ssl_session_id]"; }
    server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_session_cache none; return 200 "[$ssl_session_id]"; }
  }`)
  assert.match((await askTls(server.port(0), only)).body, /^\[\]/)
  assert.match((await askTls(server.port(1), only)).body, /^\[[0-9a-f]{64}\]/)
})

for (const version of VERSIONS) {
  const only = { minVersion: version, maxVersion: version }

  test(`${version}: where sessions are kept`, async () => {
    await using server = await startViaduct(`worker_processes 2; http {
      ${own}
      server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 $ssl_session_reused; }
      server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_session_tickets off; return 200 $ssl_session_reused; }
      server { listen 127.0.0.1:%%PORT_2%% ssl; ssl_session_tickets off; ssl_session_cache shared:a:1m; return 200 $ssl_session_reused; }
      server { listen 127.0.0.1:%%PORT_3%% ssl; ssl_session_cache off; return 200 $ssl_session_reused; }
    }`)
    assert.equal(await isResumed(server.port(0), only), true, 'tickets, the default')
    assert.equal(await isResumed(server.port(1), only), false, 'neither tickets nor a cache')
    assert.equal(await isResumed(server.port(2), only), true, 'shared by the workers')
    assert.equal(await isResumed(server.port(3), only), true, 'tickets need no cache')
  })

  test(`${version}: sessions outlast a reload`, async () => {
    const conf = `http { ${own} ssl_session_timeout 1h;
      server { listen 127.0.0.1:%%PORT_0%% ssl; return 200 $ssl_session_reused; }
      server { listen 127.0.0.1:%%PORT_1%% ssl; ssl_session_tickets off; ssl_session_cache shared:a:1m; return 200 $ssl_session_reused; }
    }`
    await using server = await startViaduct(conf)
    const sessions = [(await askTls(server.port(0), only)).session, (await askTls(server.port(1), only)).session]
    await server.reload()
    for (const [i, session] of sessions.entries()) {
      assert.equal((await askTls(server.port(i), { ...only, session: session! })).reused, true)
    }
  })

  test(`${version}: a session is not resumed where clients are verified otherwise`, async () => {
    await using server = await startViaduct(`http { ${own} ssl_session_cache shared:a:1m;
      server { listen 127.0.0.1:%%PORT_0%% ssl; server_name open; return 200 $ssl_session_reused; }
      server { listen 127.0.0.1:%%PORT_0%% ssl; server_name same; return 200 $ssl_session_reused; }
      server { listen 127.0.0.1:%%PORT_0%% ssl; server_name one; ssl_verify_client on; ssl_client_certificate ${ca.certFile};
        return 200 $ssl_session_reused; }
      server { listen 127.0.0.1:%%PORT_0%% ssl; server_name two; ssl_verify_client optional; ssl_client_certificate ${otherCa.certFile};
        return 200 $ssl_session_reused; }
    }`)
    const proof = { cert: client.cert, key: client.key }
    const at = (servername: string): AskOptions => ({ ...only, ...proof, servername })
    const port = server.port()
    const isTaken = async (from: string, to: string): Promise<boolean> => {
      const { session } = await askTls(port, at(from))
      return (await askTls(port, { ...at(to), session: sessionFor(session!, from, to) })).reused
    }
    assert.equal(await isTaken('one', 'one'), true)
    assert.equal(await isTaken('open', 'same'), true)
    assert.equal(await isTaken('one', 'two'), false)
    assert.equal(await isTaken('two', 'one'), false)
    assert.equal(await isTaken('one', 'open'), false)
    assert.equal(await isTaken('open', 'one'), false)
  })

  test(`${version}: keys of tickets from files are rotated`, async () => {
    const conf = (keys: string) => `http { ${own} server { listen 127.0.0.1:%%PORT_0%% ssl; ${keys}
      return 200 $ssl_session_reused; } }`
    const files = { 'a.key': new Uint8Array(48).fill(1), 'b.key': new Uint8Array(80).fill(2) }
    await using server = await startViaduct(conf('ssl_session_ticket_key a.key;'), { files })
    const { session } = await askTls(server.port(), only)
    await server.reload(conf('ssl_session_ticket_key b.key; ssl_session_ticket_key a.key;'))
    const again = await askTls(server.port(), { ...only, session: session! })
    assert.equal(again.reused, true)
    await server.reload(conf('ssl_session_ticket_key b.key;'))
    assert.equal((await askTls(server.port(), { ...only, session: session! })).reused, false)
    assert.equal(
      (await askTls(server.port(), { ...only, session: again.session! })).reused,
      true,
      'renewed with the new key',
    )
  })
}
