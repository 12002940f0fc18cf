/** One of the two servers while it is compared: its folder, its process, its back ends, and what it did with one case. */
import { type ChildProcess, spawn } from 'node:child_process'
import fs from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import tls from 'node:tls'
import type { Pair } from '../../harness/certificates.ts'
import { freePorts } from '../../harness/ports.ts'
import type { Answer, Case, Group } from './case.ts'
import { HERE, type Hearing, newHearing, type Speech } from './gateways.ts'
import { allEnded, Http2Writer } from './http2.ts'
import { type Secured, securedDir, securedServer } from './secured.ts'

/** The variables of an access line, in its order. */
export const LOGGED: readonly string[] = (
  'remote_addr remote_user request status body_bytes_sent bytes_sent request_length http_referer http_user_agent host ' +
  'server_name server_port server_protocol scheme request_method request_uri uri args is_args document_uri content_type ' +
  'content_length request_completion pipe connection_requests sent_http_content_type sent_http_content_length ' +
  'sent_http_location sent_http_connection sent_http_transfer_encoding sent_http_last_modified sent_http_cache_control ' +
  'sent_http_keep_alive upstream_status upstream_addr upstream_response_length upstream_bytes_sent upstream_bytes_received ' +
  'upstream_cache_status upstream_http_server upstream_cookie_a upstream_trailer_t document_root request_filename'
).split(' ')

const PORTS = 10
const BACK_ENDS = [6, 7]
/** Requests to this one mark where a case's lines in the logs end. */
const MARK_PORT = 9
const START_TIMEOUT_MS = 60_000
const ANSWER_TIMEOUT_MS = 5000
const STOP_TIMEOUT_MS = 3000
const POLL_MS = 2
/** Between the pieces of an answer. */
const PIECE_MS = 4
/** Files have one date on both sides, so that their tags are the same. */
const FILE_TIME = new Date('2024-02-03T04:05:06Z')

/** What a server did with a case, as it said it. */
export interface Seen {
  readonly replies: string
  readonly open: boolean
  readonly access: string
  readonly errors: string
  /** What back ends were sent. */
  readonly asked: string
}

/** How all cases are put to both servers. */
export interface Manner {
  readonly http2: boolean
  /** TLS is spoken, with this certificate. */
  readonly pair: Pair | undefined
}

/** What only one of the two servers is told. */
export interface Own {
  readonly events: string
  readonly http: string
}

/** A running server with its back ends; cases are put to it one after the other. */
export class Side {
  readonly dir: string
  /** Cases are put to it over HTTP/2. */
  readonly http2: boolean
  readonly #tls: boolean
  readonly #ports: readonly number[]
  readonly #child: ChildProcess
  readonly #backEnds: net.Server[] = []
  readonly #speech: Speech | undefined
  #answers: readonly Answer[] = []
  #answered = 0
  #asked: string[] = []
  /** What was said on connections of back ends that do not speak HTTP/1. */
  #hearings: Hearing[] = []
  #backSockets = new Set<net.Socket>()
  /** Handshakes with back ends. */
  #handshakes: string[] = []
  readonly #hangsUp: boolean
  #marks = 0
  #accessRead = 0
  #errorsRead = 0

  private constructor(
    program: string,
    dir: string,
    ports: readonly number[],
    { http2, pair }: Manner,
    { speech, secured }: Group,
  ) {
    this.dir = dir
    this.http2 = http2
    this.#tls = pair !== undefined
    this.#speech = speech
    this.#hangsUp = speech !== undefined || secured !== undefined
    this.#ports = ports
    this.#child = spawn(program, ['-p', `${dir}/`, '-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // nginx takes it for a list of sockets.
      env: { ...process.env, NGINX: undefined },
    })
    this.#child.stderr!.on('data', (data) => fs.appendFileSync(path.join(dir, 'stderr'), data))
  }

  /** Starts a server with a group's configuration. */
  static async start(program: string, own: Own, group: Group, manner: Manner): Promise<Side> {
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'beside-'))
    fs.chmodSync(dir, 0o755)
    const ports = await freePorts(PORTS)
    const expand = (text: string): string => expanded(text, dir, ports)
    for (const [name, content] of Object.entries({
      ...group.files,
      'nginx.conf': wholeConf(group.http, own, manner),
    })) {
      const file = path.join(dir, name)
      fs.mkdirSync(path.dirname(file), { recursive: true })
      fs.writeFileSync(file, Buffer.from(expand(content), 'latin1'))
      fs.utimesSync(file, FILE_TIME, FILE_TIME)
    }
    for (const file of fs.readdirSync(dir, { recursive: true, encoding: 'utf8' })) {
      fs.utimesSync(path.join(dir, file), FILE_TIME, FILE_TIME)
    }
    const side = new Side(program, dir, ports, { ...manner, http2: manner.http2 || group.http2 === true }, group)
    const secured = group.secured ?? {}
    for (const n of BACK_ENDS) if (secured[n] === undefined) await side.#openBackEnd(ports[n]!)
    for (const [n, kind] of Object.entries(secured)) await side.#openBackEnd(ports[Number(n)]!, kind)
    await side.#untilReady()
    return side
  }

  /** Puts a case to the server. `quietMs` of silence mean that it has said everything. */
  async run(asked: Case, quietMs: number): Promise<Seen> {
    this.#answers = asked.answers ?? []
    this.#answered = 0
    this.#asked = []
    this.#hearings = []
    this.#handshakes = []
    const { replies, open } = await this.#talk(asked, quietMs)
    await this.#mark()
    if (this.#hangsUp) await this.#hangUp()
    const errors = this.#read('error.log', this.#errorsRead)
    this.#errorsRead += errors.length
    return {
      replies,
      open,
      access: this.#accessLines(),
      errors,
      asked: [...this.#handshakes, ...this.#asked].join('\n'),
    }
  }

  /** Replaces what differs between any two runs: places and ports. */
  plain(text: string): string {
    let result = text
      .replaceAll(this.dir, 'DIR')
      .replaceAll(/\/tmp\/viaduct-certs-\w+/g, 'CERTS')
      .replaceAll(/boundary=\d{20}/g, 'boundary=N')
    result = result.replaceAll(/(DIR\/body\/)\d{10}/g, '$1N').replaceAll(/(_temp\/)\d+\/\d+\/\d{10}/g, '$1N')
    // A sum or a length may have the digits of one within.
    for (const [n, port] of this.#ports.entries()) {
      result = result.replaceAll(new RegExp(`(?<!\\d)${port}(?!\\d)`, 'g'), `PORT${n}`)
    }
    return result
  }

  async stop(): Promise<void> {
    for (const backEnd of this.#backEnds) backEnd.close()
    const ended = new Promise((resolve) => this.#child.once('exit', resolve))
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGTERM')
      await Promise.race([ended, delay(STOP_TIMEOUT_MS)])
      this.#child.kill('SIGKILL')
    }
    fs.rmSync(this.dir, { recursive: true, force: true })
  }

  async #untilReady(): Promise<void> {
    const deadline = performance.now() + START_TIMEOUT_MS
    while (performance.now() < deadline && this.#child.exitCode === null) {
      if (
        await this.#mark().then(
          () => true,
          () => false,
        )
      ) {
        this.#accessLines()
        this.#errorsRead = this.#read('error.log', 0).length
        return
      }
      await delay(POLL_MS * 10)
    }
    const said = this.#read('stderr', 0) + this.#read('error.log', 0)
    await this.stop()
    throw new Error(`${this.#child.spawnfile} does not start\n${said}`)
  }

  async #talk(asked: Case, quietMs: number): Promise<{ replies: string; open: boolean }> {
    const socket = this.#connect()
    let replies = ''
    let open = true
    let wake = (): void => undefined
    socket.setNoDelay(true)
    socket.on('data', (data) => {
      replies += data.toString('latin1')
      wake()
    })
    const onEnd = (): void => {
      open = false
      wake()
    }
    socket.on('end', onEnd).on('error', onEnd).on('close', onEnd)
    const written = typeof asked.send === 'string' ? [asked.send] : asked.send
    const parts = this.http2 ? inFrames(written, asked.end === true) : written
    for (const [n, part] of parts.entries()) {
      const before = replies.length
      if (open) socket.write(Buffer.from(part, 'latin1'))
      if (open && asked.end && !this.http2 && n === parts.length - 1) socket.end()
      const deadline = performance.now() + ANSWER_TIMEOUT_MS
      let size = -1
      const sent = parts.slice(0, n + 1).join('')
      while (open && performance.now() < deadline) {
        if (replies.length === size && size > before && (!this.#waitsForEnd || this.#isOver(sent, replies))) break
        size = replies.length
        const timer = delay(size > before ? quietMs : ANSWER_TIMEOUT_MS / 5)
        await Promise.race([timer, new Promise<void>((resolve) => (wake = resolve))])
      }
    }
    socket.destroy()
    return { replies, open }
  }

  #connect(): net.Socket {
    const to = { port: this.#ports[0]!, host: '127.0.0.1', allowHalfOpen: true }
    if (!this.#tls) return net.connect(to)
    return tls.connect({ ...to, rejectUnauthorized: false, ...(this.http2 ? { ALPNProtocols: ['h2'] } : {}) })
  }

  /** What takes its time is waited for, where back ends take theirs. */
  get #waitsForEnd(): boolean {
    return this.#hangsUp
  }

  /** No more will come of itself. */
  #isOver(sent: string, replies: string): boolean {
    return this.http2 ? allEnded(sent, replies) : !sent.includes('Connection: close')
  }

  /** Ends connections of back ends, which may be kept for the next case, when all that was said on them has come. */
  async #hangUp(): Promise<void> {
    await delay(POLL_MS)
    for (const socket of this.#backSockets) socket.destroy()
    this.#backSockets.clear()
    if (this.#speech !== undefined)
      this.#asked = this.#hearings.map((hearing, n) => `connection ${n + 1}\n${hearing.said()}`)
    this.#hearings = []
    // The server has to see that they are closed before it is asked again.
    await this.#mark()
  }

  /** Asks for something else, and waits until the log says so: then the lines of all before are there. */
  async #mark(): Promise<void> {
    this.#marks += 1
    const target = `/mark-${this.#marks}`
    const response = await fetch(`http://127.0.0.1:${this.#ports[MARK_PORT]}${target}`)
    await response.arrayBuffer()
    const deadline = performance.now() + ANSWER_TIMEOUT_MS
    while (!this.#read('access.log', this.#accessRead).includes(`${target}\n`)) {
      if (performance.now() > deadline) throw new Error('no mark in the access log')
      await delay(POLL_MS)
    }
  }

  #accessLines(): string {
    const text = this.#read('access.log', this.#accessRead)
    this.#accessRead += text.length
    return text.replaceAll(/^\/mark-\d+\n/gm, '')
  }

  #read(name: string, from: number): string {
    const file = path.join(this.dir, name)
    return fs.existsSync(file) ? fs.readFileSync(file, 'latin1').slice(from) : ''
  }

  async #openBackEnd(port: number, kind?: Secured): Promise<void> {
    const serve = (socket: net.Socket): void => this.#serve(socket)
    const backEnd =
      kind === undefined
        ? net.createServer(serve)
        : securedServer(kind, this.#speech === 'http2', serve, (line) => this.#handshakes.push(line))
    this.#backEnds.push(backEnd)
    await new Promise<void>((resolve) => backEnd.listen(port, '127.0.0.1', resolve))
  }

  #serve(socket: net.Socket): void {
    if (this.#hangsUp) this.#backSockets.add(socket)
    if (this.#speech !== undefined) return this.#hear(socket, newHearing(this.#speech))
    let held = ''
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      held += data.toString('latin1')
      for (let size = requestSize(held); size > 0; size = requestSize(held)) {
        this.#asked.push(held.slice(0, size))
        held = held.slice(size)
        this.#answer(socket)
      }
    })
  }

  #hear(socket: net.Socket, hearing: Hearing): void {
    this.#hearings.push(hearing)
    socket.setNoDelay(true)
    socket.on('error', () => undefined)
    socket.on('data', (data) => {
      let count = hearing.hear(data.toString('latin1'), () => this.#nextAnswer?.early === true)
      for (; count > 0; count--) this.#answer(socket, hearing.stream)
    })
  }

  #expand(text: string): string {
    return expanded(text, this.dir, this.#ports)
  }

  get #nextAnswer(): Answer | undefined {
    return this.#answers[Math.min(this.#answered, this.#answers.length - 1)]
  }

  #answer(socket: net.Socket, stream = 0): void {
    const answer = this.#nextAnswer
    this.#answered += 1
    const send = answer?.send ?? 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'
    const pieces = (typeof send === 'string' ? [send] : send).map((text) =>
      stream === 0 ? text : text.replaceAll(u32Text(HERE), u32Text(stream)),
    )
    this.#sendPieces(socket, pieces, 0, answer)
  }

  #sendPieces(socket: net.Socket, pieces: readonly string[], n: number, answer: Answer | undefined): void {
    if (!socket.destroyed) socket.write(Buffer.from(this.#expand(pieces[n]!), 'latin1'))
    if (n + 1 < pieces.length) setTimeout(() => this.#sendPieces(socket, pieces, n + 1, answer), PIECE_MS)
    else if (answer?.after === 'close') socket.end()
    else if (answer?.after === 'reset') rawOf(socket).resetAndDestroy()
  }
}

function u32Text(value: number): string {
  return String.fromCharCode(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
}

/** The parts of a case as frames, which they may be already. */
function inFrames(parts: readonly string[], end: boolean): readonly string[] {
  if (parts[0]?.startsWith('PRI ') === true) return parts
  const writer = new Http2Writer()
  return parts.map((part, n) => writer.write(part, end && n === parts.length - 1))
}

/** TLS has no reset of its own. */
function rawOf(socket: net.Socket): net.Socket {
  return socket instanceof tls.TLSSocket ? ((socket as { _parent?: net.Socket })._parent ?? socket) : socket
}

function expanded(given: string, dir: string, ports: readonly number[]): string {
  const text = given.includes('%%CERTS%%') ? given.replaceAll('%%CERTS%%', securedDir()) : given
  return text.replaceAll(/%%PORT_(\d)%%/g, (_, n) => `${ports[Number(n)]}`).replaceAll('%%DIR%%', dir)
}

/** Returns how long the first request in `text` is, or 0 while it is not complete. */
function requestSize(text: string): number {
  if (/^(?:get|set) \S+\r\n/.test(text)) return text.indexOf('\r\n') + 2
  const head = text.indexOf('\r\n\r\n')
  if (head < 0) return 0
  const fields = text.slice(0, head)
  const length = /\r\ncontent-length: *(\d+)/i.exec(fields)
  if (length !== null) return text.length >= head + 4 + Number(length[1]) ? head + 4 + Number(length[1]) : 0
  if (!/\r\ntransfer-encoding: *chunked/i.test(fields)) return head + 4
  const end = text.indexOf('0\r\n\r\n', head + 4)
  return end < 0 ? 0 : end + 5
}

function wholeConf(http: string, own: Own, { http2, pair }: Manner): string {
  return `user root; daemon off; worker_processes 1; pid %%DIR%%/nginx.pid; error_log %%DIR%%/error.log info;
events { worker_connections 256; ${own.events} }
http {
log_format mark '$request_uri';
log_format wide '${LOGGED.map((name) => '$' + name).join('|')}';
access_log %%DIR%%/access.log wide;
client_body_temp_path %%DIR%%/body;
server_tokens off;
proxy_http_version 1.1;
proxy_set_header Connection '';
${http2 ? 'http2 on;' : ''}
${pair === undefined ? '' : `ssl_certificate ${pair.certFile}; ssl_certificate_key ${pair.keyFile};`}
${own.http}
server { listen 127.0.0.1:%%PORT_9%%; access_log %%DIR%%/access.log mark; return 204; }
${pair === undefined ? http : http.replaceAll(/listen [^;]*%%PORT_0%%/g, '$& ssl')}
}
`
}
