/** TLS and HTTP/2. */
import { BACKEND, CERTIFICATE, FILE_CACHE, PASS, type Scenario, serverBlock } from '../scenario.ts'

const BASE = `${CERTIFICATE} ssl_session_cache shared:SSL:10m;`
const SECURE = `${BASE} ssl_protocols TLSv1.2 TLSv1.3;`
const FIXED = 'location / { default_type text/plain; return 200 "Hello, world!\\n"; }'
const MESSAGE =
  '{"id":1,"name":"a message of a hundred bytes, as calls between services have them, mostly, now and then"}'

/** What all of these have in common. */
function secured(name: string, title: string, inner: string, more: Partial<Scenario>, listen = 'ssl'): Scenario {
  return { name, title, http: serverBlock(`${SECURE} ${inner}`, listen), target: '/', tls: true, ...more }
}

const proxied = (listen: string): string => BACKEND + serverBlock(`${SECURE} location / { ${PASS} }`, listen)

/**
 * Handshakes of one version with one kind of certificate; resumed ones do not depend on that. Both do the same: left alone,
 * a newer OpenSSL would agree on a group that is safe from quantum computers and dearer, and an older one does not know it.
 */
function handshakes(version: '1.2' | '1.3', kind: 'ECDSA' | 'RSA' | 'resumed'): Scenario {
  const name = `tls${version.replace('.', '')}-${kind.toLowerCase()}`
  const title = `TLS ${version} handshakes, ${kind === 'resumed' ? kind : `full, ${kind}`}`
  return {
    name,
    title,
    http: serverBlock(`${BASE} ssl_protocols TLSv${version}; ssl_ecdh_curve X25519; ${FIXED}`, 'ssl'),
    target: kind === 'resumed' ? '/?resumed' : '/',
    tls: kind === 'RSA' ? 'rsa' : true,
    partner: 'handshake',
    connections: 16,
    expected: 1,
  }
}
const h2 = { h2: { streams: 10 }, connections: 8 }

export const secure: readonly Scenario[] = [
  secured('tls-fixed', 'TLS, fixed response', FIXED, { expected: 1.1 }),
  secured('tls-proxied', 'TLS, proxied, keep-alive', '', { http: proxied('ssl'), target: '/small', expected: 1.1 }),
  ...(['1.2', '1.3'] as const).flatMap((version) =>
    (['ECDSA', 'RSA', 'resumed'] as const).map((kind) => handshakes(version, kind)),
  ),
  secured('tls-download-1m', 'TLS, static file, 1 MB', `root %%DIR%%/html; ${FILE_CACHE}`, {
    target: '/file.bin',
    files: { 'file.bin': 'x'.repeat(1_048_576) },
    expected: 1.5,
  }),
  secured('h2-fixed', 'HTTP/2, fixed response', FIXED, h2, 'ssl http2'),
  secured('h2-proxied', 'HTTP/2, proxied, keep-alive', '', {
    ...h2,
    http: proxied('ssl http2'),
    target: '/small',
    expected: 1.2,
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
