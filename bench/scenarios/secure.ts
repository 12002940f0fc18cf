/** TLS and HTTP/2. */
import { BACKEND, CERTIFICATE, FILE_CACHE, PASS, type Scenario, serverBlock } from '../scenario.ts'

const SECURE = `${CERTIFICATE} ssl_protocols TLSv1.2 TLSv1.3; ssl_session_cache shared:SSL:10m;`
const FIXED = 'location / { default_type text/plain; return 200 "Hello, world!\\n"; }'
const MESSAGE =
  '{"id":1,"name":"a message of a hundred bytes, as calls between services have them, mostly, now and then"}'

/** What all of these have in common. */
function secured(name: string, title: string, inner: string, more: Partial<Scenario>, listen = 'ssl'): Scenario {
  return { name, title, http: serverBlock(`${SECURE} ${inner}`, listen), target: '/', tls: true, ...more }
}

const proxied = (listen: string): string => BACKEND + serverBlock(`${SECURE} location / { ${PASS} }`, listen)
const handshakes = { partner: 'handshake', connections: 16, expected: 0.8 }
const h2 = { h2: { streams: 10 }, connections: 8 }

export const secure: readonly Scenario[] = [
  secured('tls-fixed', 'TLS, fixed response', FIXED, {}),
  secured('tls-proxied', 'TLS, proxied, keep-alive', '', { http: proxied('ssl'), target: '/small', expected: 0.85 }),
  secured('tls-handshake-full', 'TLS handshakes, full', FIXED, handshakes),
  secured('tls-handshake-resumed', 'TLS handshakes, resumed', FIXED, { ...handshakes, target: '/?resumed' }),
  secured('tls-download-1m', 'TLS, static file, 1 MB', `root %%DIR%%/html; ${FILE_CACHE}`, {
    target: '/file.bin',
    files: { 'file.bin': 'x'.repeat(1_048_576) },
  }),
  secured('h2-fixed', 'HTTP/2, fixed response', FIXED, h2, 'ssl http2'),
  secured('h2-proxied', 'HTTP/2, proxied, keep-alive', '', {
    ...h2,
    http: proxied('ssl http2'),
    target: '/small',
    expected: 0.8,
  }),
  {
    name: 'grpc-unary',
    title: 'gRPC, unary',
    http: BACKEND + serverBlock('location / { grpc_pass grpc://backend; }', 'http2'),
    target: '/service/Method',
    h2: { streams: 10, message: MESSAGE },
    grpc: true,
    connections: 8,
    expected: 0.8,
  },
]
