/**
 * The production configuration of a guide (`fixtures/production/`), unchanged but for names, ports and paths, in front of
 * the FastAPI example and a page of its own. Its certificate is from an authority that clients may trust.
 */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Certificates } from '../harness/certificates.ts'
import { type Server, startViaduct } from '../harness/server.ts'
import { BackEnd } from './back-ends.ts'

/** The name in the configuration. */
export const NAME = 'yourdomain.com'

const FIXTURES = fileURLToPath(new URL('fixtures/production/', import.meta.url))
const MIME_TYPES = fileURLToPath(new URL('../../conf/mime.types', import.meta.url))

const PAGE = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Production</title>
<link rel="stylesheet" href="/assets/app-1f3c9a.css"><script type="module" src="/assets/app-5b07c4.js"></script></head>
<body><main id="route"></main><p id="api"></p><p id="socket"></p></body>
</html>
`
const SCRIPT = `
document.querySelector('#route').textContent = location.pathname
const item = await (await fetch('/api/items/1')).json()
document.querySelector('#api').textContent = item.name
const socket = new WebSocket('wss://' + location.host + '/ws/echo')
socket.onopen = () => socket.send('over TLS')
socket.onmessage = ({ data }) => { document.querySelector('#socket').textContent = data }
`

/** What runs during the tests. */
export class Production implements AsyncDisposable {
  readonly server: Server
  /** The certificate of the authority. */
  readonly authority: string
  readonly #running: AsyncDisposableStack

  private constructor(server: Server, authority: string, running: AsyncDisposableStack) {
    this.server = server
    this.authority = authority
    this.#running = running
  }

  /** Starts the API and the server. */
  static async start(): Promise<Production> {
    await using starting = new AsyncDisposableStack()
    const certificates = starting.adopt(new Certificates(), (made) => made.remove())
    const authority = certificates.make('authority', { authority: true })
    const own = certificates.make(NAME, { issuer: authority, names: [NAME] })
    const api = starting.use(await BackEnd.fastApi())
    const read = (file: string): string => placed(fs.readFileSync(FIXTURES + file, 'utf8'), api.port)
    const server = await startViaduct(read('prod.nginx'), {
      // The system may not allow what worker_rlimit_nofile asks for.
      alerts: true,
      files: {
        'http.conf': read('http.conf'),
        'mime.types': fs.readFileSync(MIME_TYPES),
        'ssl/fullchain.pem': own.cert + authority.cert,
        'ssl/privkey.pem': own.key,
        'html/index.html': PAGE,
        'html/assets/app-5b07c4.js': SCRIPT,
        'html/assets/app-1f3c9a.css': `main { color: navy }\n${'/* wide */'.repeat(100)}`,
        'html/assets/icon.svg': '<svg xmlns="http://www.w3.org/2000/svg"/>',
        'html/favicon.ico': '',
        'html/.env': 'SECRET=1',
      },
    })
    starting.use(server)
    return new Production(server, authority.certFile, starting.move())
  }

  /** Where `https://yourdomain.com` is. */
  get port(): number {
    return this.server.port(1)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#running.disposeAsync()
  }
}

/** The text with what has to be elsewhere here. */
function placed(text: string, api: number): string {
  const replacements: readonly (readonly [string, string])[] = [
    ['user nginx;', 'user nobody nogroup;'],
    ['/var/log/nginx/', '%%DIR%%/'],
    ['/var/run/nginx.pid', '%%DIR%%/nginx.pid'],
    ['/etc/nginx/ssl/', '%%DIR%%/ssl/'],
    ['/etc/nginx/', '%%DIR%%/'],
    ['/usr/share/nginx/html', '%%DIR%%/html'],
    ['listen 80;', 'listen 127.0.0.1:%%PORT_0%%;'],
    ['listen 443 ', 'listen 127.0.0.1:%%PORT_1%% '],
    ['server backend:8000', `server 127.0.0.1:${api}`],
    ['server frontend:5173', 'server 127.0.0.1:5173'],
  ]
  return replacements.reduce((changed, [from, to]) => changed.replaceAll(from, to), text)
}
