/**
 * Several services behind one name, and each behind a name of its own: the configuration of a guide. Only addresses and
 * paths are replaced, and what is not built yet is left out: the cache of the documentation pages
 * (`proxy_cache app_cache`). Clients speak HTTP/2 over TLS; the servers of the subdomains have no certificate of their own
 * and use that of the first.
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import http2 from 'node:http2'
import type net from 'node:net'
import { after, before, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'

/** `burst=20`, and the one within the rate. */
const BURST_MAX = 21

const CONF = `worker_processes 1;
  http {
    # Here clients say where they come from.
    set_real_ip_from 127.0.0.1; real_ip_header X-Client;
    limit_req_zone $binary_remote_addr zone=api:10m rate=10r/s;
    # Upstream definitions for each service
    upstream api_service {
      server 127.0.0.1:%api%;
      keepalive 32;
    }
    upstream admin_service {
      server 127.0.0.1:%admin%;
      keepalive 16;
    }
    upstream docs_service {
      server 127.0.0.1:%docs%;
      keepalive 8;
    }
    server {
      listen 127.0.0.1:%%PORT_0%% ssl http2;
      server_name example.com;
      ssl_certificate %%DIR%%/fullchain.pem;
      ssl_certificate_key %%DIR%%/privkey.pem;
      include ssl-params.conf;
      # API service at /api/
      location /api/ {
        proxy_pass http://api_service/; # Trailing / strips /api/ prefix
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        include proxy-headers.conf;
        # API-specific settings
        proxy_read_timeout 30s;
        client_max_body_size 10m;
        # Rate limiting for API
        limit_req zone=api burst=20 nodelay;
      }
      # Admin panel at /admin/
      location /admin/ {
        proxy_pass http://admin_service/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        include proxy-headers.conf;
        # Restrict admin access by IP
        allow 10.0.0.0/8;
        allow 192.168.0.0/16;
        deny all;
      }
      # Documentation at /docs/
      location /docs/ {
        proxy_pass http://docs_service/;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        include proxy-headers.conf;
      }
      # Frontend SPA (catch-all)
      location / {
        root %%DIR%%/dist;
        index index.html;
        try_files $uri $uri/ /index.html;
      }
    }
    # Alternative: subdomain-based routing
    server {
      listen 127.0.0.1:%%PORT_0%% ssl http2;
      server_name api.example.com;
      include ssl-params.conf;
      location / {
        proxy_pass http://api_service;
        include proxy-headers.conf;
      }
    }
    server {
      listen 127.0.0.1:%%PORT_0%% ssl http2;
      server_name admin.example.com;
      include ssl-params.conf;
      location / {
        proxy_pass http://admin_service;
        include proxy-headers.conf;
      }
    }
  }`

const running = new AsyncDisposableStack()
let server: Server
/** The peers of the connections that each service has had. */
const connections = new Map<string, Set<number>>()
const sessions = new Map<string, http2.ClientHttp2Session>()
const certificates = new Certificates()

before(async () => {
  const { cert, key } = certificates.make('example.com', { names: ['*.example.com'] })
  const [api, admin, docs] = [await startService('api'), await startService('admin'), await startService('docs')]
  server = running.use(
    await startViaduct(CONF.replace('%api%', api).replace('%admin%', admin).replace('%docs%', docs), {
      files: {
        'dist/index.html': '<title>app</title>',
        'dist/assets/app.js': 'app()',
        'fullchain.pem': cert,
        'privkey.pem': key,
        'ssl-params.conf': `ssl_protocols TLSv1.2 TLSv1.3;
            ssl_session_cache shared:SSL:10m;
            ssl_session_timeout 1d;
            ssl_session_tickets off;`,
        'proxy-headers.conf': `proxy_set_header Host $host;
            proxy_set_header X-Real-IP $remote_addr;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
            proxy_set_header X-Forwarded-Port $server_port;`,
      },
    }),
  )
})
after(() => {
  for (const session of sessions.values()) session.destroy()
  certificates.remove()
  return running.disposeAsync()
})

interface Seen {
  readonly service: string
  readonly method: string
  readonly url: string
  readonly headers: http.IncomingHttpHeaders
  readonly size: number
}

/** Starts a service that tells what it was asked. Returns its port. */
async function startService(service: string): Promise<string> {
  const ports = new Set<number>()
  connections.set(service, ports)
  const application = http.createServer((request, response) => {
    ports.add(request.socket.remotePort!)
    let size = 0
    request.on('data', (bytes: Buffer) => {
      size += bytes.length
    })
    request.on('end', () => {
      const { method, url, headers } = request
      response.setHeader('Content-Type', 'application/json')
      response.end(JSON.stringify({ service, method, url, headers, size }))
    })
  })
  application.keepAliveTimeout = 60_000
  await once(application.listen(0, '127.0.0.1'), 'listening')
  running.defer(() => {
    application.closeAllConnections()
    application.close()
  })
  return `${(application.address() as net.AddressInfo).port}`
}

/** The connection for a name; one serves for all requests. */
function sessionOf(host: string): http2.ClientHttp2Session {
  let session = sessions.get(host)
  if (session === undefined) {
    session = http2.connect(`https://127.0.0.1:${server.port()}`, { servername: host, rejectUnauthorized: false })
    sessions.set(host, session)
  }
  return session
}

interface Answer {
  readonly status: number
  readonly text: string
}

/** Asks by a host's name, from an address. */
async function ask(host: string, target: string, client = '10.1.2.3', body?: Uint8Array): Promise<Answer> {
  const method = body === undefined ? 'GET' : 'POST'
  const fields = { ':method': method, ':path': target, ':authority': host, 'x-client': client }
  const stream = sessionOf(host).request(fields, { endStream: body === undefined })
  let text = ''
  stream.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const ended = once(stream, 'end')
  if (body !== undefined) stream.end(body)
  const [headers] = (await once(stream, 'response')) as [http2.IncomingHttpHeaders]
  await ended
  return { status: Number(headers[':status']), text }
}

async function seen(host: string, target: string, client?: string, body?: Uint8Array): Promise<Seen> {
  const { status, text } = await ask(host, target, client, body)
  assert.equal(status, 200, text)
  return JSON.parse(text) as Seen
}

test('each prefix goes to its service, and is taken off', async () => {
  for (const service of ['api', 'admin', 'docs']) {
    const request = await seen('example.com', `/${service}/v1/things%20here?a=b&c=%2F`)
    // The path is passed on in nginx's own form, the arguments as they came.
    assert.deepEqual([request.service, request.url], [service, '/v1/things%20here?a=b&c=%2F'])
    assert.equal((await seen('example.com', `/${service}/`)).url, '/')
    assert.equal(request.headers.host, 'example.com')
    assert.equal(request.headers['x-real-ip'], '10.1.2.3')
    assert.equal(request.headers['x-forwarded-proto'], 'https')
    assert.equal(request.headers['x-forwarded-port'], `${server.port()}`)
  }
})

test('a prefix without its slash is redirected', async () => {
  for (const service of ['api', 'admin', 'docs']) assert.equal((await ask('example.com', `/${service}`)).status, 301)
})

test('the admin panel is for the addresses that are allowed', async () => {
  for (const [client, status] of [
    ['10.255.0.1', 200],
    ['192.168.7.7', 200],
    ['192.169.0.1', 403],
    ['11.0.0.1', 403],
    ['2001:db8::1', 403],
  ] as const) {
    assert.equal((await ask('example.com', '/admin/users', client)).status, status, client)
  }
  assert.equal((await ask('example.com', '/api/../admin/users', '11.0.0.1')).status, 403)
  assert.equal((await ask('example.com', '/%61dmin/users', '11.0.0.1')).status, 403)
  await server.logged(/access forbidden by rule, client: 11\.0\.0\.1/)
})

test('the limit of the API is for each client, and for nothing else', async () => {
  const burst = Array.from({ length: 100 }, () => ask('example.com', '/api/', '10.9.9.9'))
  const statuses = (await Promise.all(burst)).map(({ status }) => status)
  const passed = statuses.filter((status) => status === 200).length
  assert.equal(statuses.filter((status) => status === 503).length, 100 - passed)
  // What the rate gives back meanwhile is up to the machine.
  assert.ok(passed >= BURST_MAX && passed <= BURST_MAX + 20, `${passed} passed`)
  assert.equal((await ask('example.com', '/api/', '10.9.9.8')).status, 200)
  assert.equal((await ask('example.com', '/docs/', '10.9.9.9')).status, 200)
})

test('an upload of 10 MB passes at the API and not elsewhere', async () => {
  const body = new Uint8Array(10 * 1024 * 1024)
  assert.equal((await seen('example.com', '/api/upload', '10.1.1.1', body)).size, body.length)
  assert.equal((await ask('example.com', '/docs/upload', '10.1.1.1', body.subarray(0, 1024 * 1024 + 1))).status, 413)
})

test('everything else is the page', async () => {
  const page = { status: 200, text: '<title>app</title>' }
  for (const target of ['/', '/users/7', '/apix', '/deep/link?x=1']) {
    assert.deepEqual(await ask('example.com', target), page, target)
  }
  // try_files finds the folder, which has no index.
  assert.equal((await ask('example.com', '/assets/')).status, 403)
  assert.deepEqual(await ask('example.com', '/assets/app.js'), { status: 200, text: 'app()' })
})

test('each service answers under a name of its own, with the whole path', async () => {
  const api = await seen('api.example.com', '/api/v1?x=1')
  assert.deepEqual([api.service, api.url, api.headers.host], ['api', '/api/v1?x=1', 'api.example.com'])
  assert.equal((await seen('admin.example.com', '/', '11.0.0.1')).service, 'admin')
})

test('connections to the services are kept', async () => {
  const before = connections.get('docs')!.size
  for (let n = 0; n < 100; n++) await seen('example.com', `/docs/${n}`)
  assert.equal(connections.get('docs')!.size, Math.max(before, 1))
})
