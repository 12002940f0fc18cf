/** `viaduct serve`, also what `viaduct` alone does where no configuration is installed: serves a folder at once. */
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { start } from '../cli/start.ts'
import { errnoText } from '../lib/errno.ts'
import { isTaken } from '../process/socket-book.ts'
import { Paint } from './frame/paint.ts'
import { type Console, FINE, ToolFailure, tool } from './frame/tool.ts'
import { type BackEnd, configurationText } from './serve/configuration.ts'

const PORT_FIRST = 8080
const PORT_LAST = 8099
const TLS_PORT_FIRST = 8443

/** The tool. */
export const serve = tool({
  name: 'serve',
  summary: 'serves a folder at once, with back ends, WebSockets and TLS',
  usage: ['[FOLDER] [--spa] [--port PORT] [--proxy PATH=URL ...] [--tls]'],
  about:
    'Serves the folder (the current one) on this machine until Ctrl-C, without rights of root and without leaving files behind.\n' +
    'A URL of --proxy without a path gets requests as they are; with a path, that takes the place of PATH.',
  options: {
    port: { type: 'string', value: 'PORT', help: `the port (default: the first free one from ${PORT_FIRST} on)` },
    host: { type: 'string', value: 'ADDRESS', help: 'the address (127.0.0.1; 0.0.0.0 lets others in)' },
    spa: { type: 'boolean', help: 'answer unknown paths with index.html' },
    proxy: {
      type: 'string',
      multiple: true,
      value: 'PATH=URL',
      help: 'send a path to a back end, WebSockets too (may be repeated)',
    },
    'upload-limit': { type: 'string', value: 'SIZE', help: 'largest request body (1m); 0: any' },
    tls: { type: 'boolean', help: 'serve HTTPS, with a certificate of a local authority' },
    authority: { type: 'string', value: 'FOLDER', help: 'keep the local authority there, so that it is trusted once' },
    print: { type: 'boolean', help: 'print the nginx.conf that would run, and exit' },
    quiet: { type: 'boolean', short: 'q', help: 'do not log requests' },
    json: { type: 'boolean', help: 'say where, and log requests, as JSON: an object in each line' },
  },
  words: 'folders',
  examples: [
    ['', 'the current folder'],
    ['dist --spa', 'a built single-page application'],
    ['dist --spa --proxy /api=http://localhost:8000', 'and the back end that it talks to'],
    ['--tls --authority ~/.viaduct', 'HTTPS, with an authority that stays'],
    ['--json --port 3000', 'for a script that waits for the first line'],
    ['--print > nginx.conf', 'a configuration to go on with: viaduct -c nginx.conf'],
  ],
  async run(values, [word = '.', ...more], console) {
    if (more.length > 0) throw new ToolFailure('one folder at a time')
    const folder = folderAt(path.resolve(console.folder, word))
    const proxies = (values.proxy ?? []).map(proxyIn)
    const uploadLimit = values['upload-limit'] ?? '1m'
    if (!/^\d+[kmg]?$/i.test(uploadLimit))
      throw new ToolFailure(`--upload-limit takes a size such as 50m, not "${uploadLimit}"`)
    const { tls = false, host = '127.0.0.1', spa = false } = values
    if (values.authority !== undefined && !tls) throw new ToolFailure('--authority is for --tls')
    const port = portFor(values.port, host, tls ? TLS_PORT_FIRST : PORT_FIRST, values.print === true)
    const text = (certificate: Files | undefined): string =>
      configurationText({
        folder,
        listens: listensFor(host, port),
        spa,
        listing: !spa && !fs.existsSync(path.join(folder, 'index.html')),
        proxies,
        uploadLimit,
        certificate,
        root: process.geteuid?.() === 0,
        accessLog: values.quiet === true ? 'off' : '/dev/stdout',
        json: values.json === true,
      })
    if (values.print === true) {
      console.out(text(tls ? { authority: '', certificate: 'certificate.pem', key: 'key.pem' } : undefined))
      return FINE
    }
    const home = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-serve-'))
    try {
      const authority = values.authority === undefined ? undefined : path.resolve(console.folder, values.authority)
      const files = tls ? await certificateFor(host, home, authority) : undefined
      const conf = path.join(home, 'nginx.conf')
      fs.writeFileSync(conf, text(files))
      const greeting = { folder, proxies, host, port, files, kept: authority !== undefined }
      if (values.json === true) console.out(`${JSON.stringify(greetingObject(greeting))}\n`)
      else greet(console, greeting)
      return await start({ ...NO_OPTIONS, conf })
    } finally {
      fs.rmSync(home, { recursive: true, force: true })
    }
  },
})

const NO_OPTIONS = {
  help: false,
  version: false,
  configure: false,
  test: false,
  dump: false,
  quiet: false,
  prefix: undefined,
  errorLog: 'stderr',
  globals: '',
  signal: undefined,
} as const

interface Files {
  readonly authority: string
  readonly certificate: string
  readonly key: string
}

function folderAt(full: string): string {
  try {
    if (fs.statSync(full).isDirectory()) return fs.realpathSync(full)
  } catch (error) {
    throw new ToolFailure(`"${full}" cannot be served ${errnoText(error)}`)
  }
  throw new ToolFailure(`"${full}" is no folder`, 'serve the folder that it is in')
}

function proxyIn(word: string): BackEnd {
  const match = /^(\/[^=]*)=(https?:\/\/[^\s/]+(?:\/.*)?)$/.exec(word)
  if (match === null) {
    throw new ToolFailure(`--proxy takes PATH=URL, not "${word}"`, 'for example --proxy /api=http://localhost:8000')
  }
  return { path: match[1]!, target: match[2]! }
}

/** The port that was asked for, or the first that nobody has. */
function portFor(word: string | undefined, host: string, first: number, isPrinted: boolean): number {
  const wanted = word === undefined ? undefined : Number(word)
  if (wanted !== undefined && !(Number.isInteger(wanted) && wanted > 0 && wanted < 65536)) {
    throw new ToolFailure(`--port takes a number up to 65535, not "${word}"`)
  }
  if (isPrinted || process.env['NGINX'] !== undefined) return wanted ?? first
  const last = first + PORT_LAST - PORT_FIRST
  for (let port = wanted ?? first; port <= (wanted ?? last); port++) {
    if (!isTaken(addressOf(host, port))) return port
  }
  if (wanted !== undefined) throw new ToolFailure(`port ${wanted} is taken`, 'without --port, a free one is looked for')
  throw new ToolFailure(`the ports ${first} to ${last} are taken`, 'choose one by --port')
}

function addressOf(host: string, port: number) {
  const at = { file: '', line: 0, column: 0 }
  return {
    key: `${host}:${port}`,
    kind: 'tcp',
    host,
    port,
    path: '',
    backlog: 511,
    reuseport: false,
    ipv6only: true,
    at,
  } as const
}

/** Names of this machine lead to both of its addresses. */
function listensFor(host: string, port: number): string[] {
  return [host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`]
}

async function certificateFor(host: string, home: string, authority: string | undefined): Promise<Files> {
  const { makeCertificate } = await import('./serve/authority.ts')
  const own = host === '0.0.0.0' || host === '::' ? [os.hostname(), ...addresses()] : [host]
  return makeCertificate([...new Set(['localhost', '127.0.0.1', '::1', ...own])], home, authority)
}

/** Addresses at which others reach this machine. */
function addresses(): string[] {
  return Object.values(os.networkInterfaces())
    .flatMap((list) => list ?? [])
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
}

interface Greeting {
  readonly folder: string
  readonly proxies: readonly BackEnd[]
  readonly host: string
  readonly port: number
  readonly files: Files | undefined
  readonly kept: boolean
}

function urlsOf({ host, port, files }: Pick<Greeting, 'host' | 'port' | 'files'>): string[] {
  const everywhere = host === '0.0.0.0' || host === '::'
  const hosts = everywhere ? ['localhost', ...addresses()] : [host === '127.0.0.1' ? 'localhost' : host]
  return hosts.map((name) => `${files === undefined ? 'http' : 'https'}://${name}:${port}/`)
}

/** The first line for programs. */
function greetingObject(greeting: Greeting): object {
  const { folder, proxies, port, files } = greeting
  return {
    folder,
    urls: urlsOf(greeting),
    port,
    proxies,
    ...(files === undefined ? {} : { authority: files.authority }),
  }
}

function greet(console: Console, { folder, proxies, host, port, files, kept }: Greeting): void {
  const paint = new Paint(console.colours)
  const lines = [
    `Serving ${paint.bold(folder)}`,
    ...proxies.map(({ path: name, target }) => `        ${paint.bold(name)} from ${target}`),
    ...urlsOf({ host, port, files }).map((url) => `   at   ${paint.of('cyan', url)}`),
    '',
    ...(files === undefined ? [] : [...trustLines(files.authority, kept, port), '']),
    'Ctrl-C ends it. `viaduct serve --print` shows the configuration that runs: keep it as nginx.conf, and go on with',
    '`viaduct -c nginx.conf`. `viaduct serve --help` shows what else there is.',
    '',
  ]
  console.out(`${lines.join('\n')}\n`)
}

function trustLines(authority: string, kept: boolean, port: number): string[] {
  return [
    `The certificate is signed by a local authority${kept ? '' : ', which ends with the server (--authority FOLDER keeps one)'}. To trust it:`,
    `   curl --cacert ${authority} https://localhost:${port}/`,
    `   Debian, Ubuntu: sudo cp ${authority} /usr/local/share/ca-certificates/viaduct.crt && sudo update-ca-certificates`,
    `   macOS: sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ${authority}`,
    '   Firefox: Settings, Certificates, Authorities, Import',
  ]
}
