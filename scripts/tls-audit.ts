/**
 * `npm run tls-audit`: what testssl.sh and sslscan find about TLS as this server speaks it with common settings. It fails
 * on findings of any weight, but for those that lie in the settings themselves or in a certificate made for the occasion.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command } from './command.ts'

const VIADUCT = fileURLToPath(new URL('../bin/viaduct', import.meta.url))
const START_TIMEOUT_MS = 15_000

/** Settings that are audited. */
const SETTINGS: Readonly<Record<string, string>> = {
  intermediate: `ssl_protocols TLSv1.2 TLSv1.3;
    ssl_ciphers 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384';
    ssl_prefer_server_ciphers off; ssl_session_cache shared:SSL:50m; ssl_session_timeout 1d; ssl_session_tickets off;`,
  modern: 'ssl_protocols TLSv1.3; ssl_session_cache shared:modern:10m; ssl_session_timeout 10m;',
  ordered: `ssl_protocols TLSv1.2 TLSv1.3; ssl_prefer_server_ciphers on;
    ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;
    ssl_session_tickets on;`,
}

/** Findings that say nothing of the server, with the reason. */
const ACCEPTED: Readonly<Record<string, string>> = {
  cipher_order: 'the settings leave the choice to clients',
  cert_revocation: 'a certificate made for the occasion has no responder',
  DNS_CAArecord: 'a name without DNS',
}

interface Finding {
  readonly id: string
  readonly severity: string
  readonly finding: string
}

const WEIGHTS: ReadonlySet<string> = new Set(['LOW', 'MEDIUM', 'HIGH', 'CRITICAL'])
/** Lines of sslscan that may not be there. */
const WEAK =
  /^(?:SSLv[23]|TLSv1\.[01])\s+enabled|Insecure session renegotiation|vulnerable to heartbleed(?<!not vulnerable to heartbleed)|^(?:Accepted|Preferred).*(?:RC4|DES|NULL|EXP|anon|MD5|CBC)/m

await command({
  called: 'npm run tls-audit',
  summary: 'what testssl.sh and sslscan find about TLS as this server speaks it',
  usage: ['[SETTINGS ...]'],
  about: `With all settings, which takes some minutes, or those that are named: ${Object.keys(SETTINGS).join(', ')}. Both programs come with
Debian (apt-get install testssl.sh sslscan openssl).`,
  options: {},
  examples: [['modern', 'only TLS 1.3']],
  words: Object.keys(SETTINGS),
  run: async (_, names) => main(names),
})

async function main(names: readonly string[]): Promise<number> {
  for (const tool of ['testssl', 'sslscan', 'openssl']) {
    if (spawnSync(tool, ['--version']).error === undefined) continue
    throw new ToolFailure(`"${tool}" is not installed`)
  }
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-audit-'))
  fs.chmodSync(dir, 0o755)
  let found = 0
  try {
    makeCertificates(dir)
    for (const [name, settings] of Object.entries(SETTINGS)) {
      if (names.length === 0 || names.includes(name)) found += await audit(dir, name, settings)
    }
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
  console.log(found === 0 ? 'no findings' : `${found} findings`)
  return found === 0 ? 0 : 1
}

async function audit(dir: string, name: string, settings: string): Promise<number> {
  const port = await freePort()
  const pairs = ['ec', 'rsa'].map((kind) => `ssl_certificate ${kind}.pem; ssl_certificate_key ${kind}.key;`)
  fs.writeFileSync(
    path.join(dir, 'nginx.conf'),
    `daemon off; worker_processes 1; error_log error.log; pid nginx.pid; events {}
    http { access_log off; server { listen 127.0.0.1:${port} ssl; server_name localhost; http2 on; ${pairs.join(' ')}
      ${settings}
      add_header Strict-Transport-Security "max-age=63072000; includeSubDomains" always;
      add_header X-Content-Type-Options nosniff always;
      add_header Content-Security-Policy "default-src 'self'" always;
      return 200 ok; } }`,
  )
  const server = spawn(VIADUCT, ['-p', `${dir}/`, '-c', 'nginx.conf', '-e', 'error.log'], { stdio: 'inherit' })
  try {
    await listening(port)
    const findings = [...testssl(dir, port), ...sslscan(port)]
    for (const { severity, id, finding } of findings) console.log(`${name}: ${severity} ${id}: ${finding}`)
    return findings.length
  } finally {
    const gone = new Promise((resolve) => server.once('exit', resolve))
    server.kill('SIGTERM')
    await gone
  }
}

function testssl(dir: string, port: number): readonly Finding[] {
  const report = path.join(dir, `${port}.json`)
  const options = ['--quiet', '--color', '0', '--warnings', 'off', '--add-ca', path.join(dir, 'ca.pem')]
  spawnSync('testssl', [...options, '--jsonfile', report, '--ip', 'one', `https://localhost:${port}`], {
    stdio: 'ignore',
  })
  const all = JSON.parse(fs.readFileSync(report, 'utf8')) as readonly Finding[] // testssl.sh's own format.
  if (!all.some(({ id }) => id === 'heartbleed')) return [{ id: 'testssl', severity: 'FATAL', finding: 'no result' }]
  return all.filter(({ id, severity }) => WEIGHTS.has(severity) && !Object.hasOwn(ACCEPTED, id.split(' ')[0]!))
}

function sslscan(port: number): readonly Finding[] {
  const text = execFileSync('sslscan', ['--no-colour', `localhost:${port}`], { encoding: 'utf8' })
  const weak = WEAK.exec(text)
  return weak === null ? [] : [{ id: 'sslscan', severity: 'HIGH', finding: weak[0] }]
}

/** An authority of our own, and a certificate of each kind. */
function makeCertificates(dir: string): void {
  const openssl = (...words: readonly string[]): void => {
    execFileSync('openssl', words, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']
  const authority = ['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']
  openssl(
    'req',
    '-x509',
    ...ec,
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.pem',
    '-days',
    '365',
    '-subj',
    '/CN=audit',
    ...authority,
  )
  const uses = 'subjectAltName=DNS:localhost\nkeyUsage=digitalSignature\nextendedKeyUsage=serverAuth\n'
  fs.writeFileSync(path.join(dir, 'uses'), uses)
  for (const [kind, key] of [
    ['ec', ec],
    ['rsa', ['-newkey', 'rsa:2048']],
  ] as const) {
    openssl('req', '-new', ...key, '-nodes', '-keyout', `${kind}.key`, '-out', `${kind}.csr`, '-subj', '/CN=localhost')
    const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-set_serial', `0x${randomHex()}`, '-extfile', 'uses']
    openssl('x509', '-req', '-in', `${kind}.csr`, ...signed, '-days', '100', '-out', `${kind}.pem`)
    fs.appendFileSync(path.join(dir, `${kind}.pem`), fs.readFileSync(path.join(dir, 'ca.pem')))
  }
}

function randomHex(): string {
  return execFileSync('openssl', ['rand', '-hex', '12'], { encoding: 'utf8' }).trim()
}

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

async function listening(port: number): Promise<void> {
  for (const deadline = Date.now() + START_TIMEOUT_MS; Date.now() < deadline; await delay(50)) {
    const open = await new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false))
      socket.once('connect', () => socket.destroy())
    })
    if (open) return
  }
  throw new Error('the server does not listen')
}
