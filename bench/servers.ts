/** The two servers that are compared, and the back end behind them. */
import { type ChildProcess, execFileSync } from 'node:child_process'
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePorts } from '../test/harness/ports.ts'
import { page } from './page.ts'
import { listening, startPinned, stopProcess } from './process-tree.ts'
import type { Scenario } from './scenario.ts'

/** The servers under test run here, one at a time under load. */
const SERVER_CORE = 0
/** The load and the back end run here. */
export const LOAD_CORE = 1

/**
 * So long after a start there is still work that no request asks for: eight seconds after a process of Viaduct has given back
 * what reading its configuration took, V8 looks through the heaps of its threads once more, which on the one core that all
 * servers share is half a second from whoever is measured then.
 */
export const START_SECONDS = 13

const GRPC_ORIGIN = fileURLToPath(new URL('grpc-origin.ts', import.meta.url))
const VIADUCT = fileURLToPath(new URL('../bin/viaduct', import.meta.url))
/** The ways of Viaduct to its sockets, by the words of `use`. */
export const ENGINES = ['io_uring', 'epoll'] as const
/** One of them. */
export type Engine = (typeof ENGINES)[number]
const NGINX_PATHS = [process.env['NGINX'] ?? '', '/usr/sbin/nginx', '/usr/local/nginx/sbin/nginx']

/** Where nginx is, or undefined. */
export function findNginx(): string | undefined {
  return NGINX_PATHS.find((file) => file !== '' && fs.existsSync(file))
}

/** A running server of a scenario. */
export interface Running {
  readonly name: 'nginx' | Engine
  readonly child: ChildProcess
  readonly url: string
  /** Its folder. */
  readonly dir: string
}

/** What needs a folder of its own besides what the scenario says. */
const ORIGIN_HTTP = `access_log off; keepalive_requests 100000000; keepalive_timeout 300s;
  server {
    listen 127.0.0.1:%%PORT%%; root %%DIR%%/html; default_type application/json;
    open_file_cache max=10; sendfile on;
    location = /v1/traces { return 200 '{}'; }
    location /small { return 200 '{"id":1,"name":"a small response"}'; }
    location /api/ { return 200 '{"items":[{"id":1,"name":"first"},{"id":2,"name":"second"}],"page":1}'; }
  }`

/** Starts the back end; resolves with its process and address. */
export async function startOrigin(dir: string, nginx: string): Promise<{ child: ChildProcess; address: string }> {
  const files = { '1k': 'o'.repeat(1024), '100k': 'o'.repeat(102_400), page: page(51_200) }
  const origin: Scenario = { name: 'origin', title: 'origin', http: ORIGIN_HTTP, target: '/', files }
  const program = { command: [nginx], core: LOAD_CORE, http: nginxOnly(dir) }
  const { child, port } = await start(dir, origin, program, '')
  return { child, address: `127.0.0.1:${port}` }
}

/** What is compared: nginx, and Viaduct on some of its engines. */
export interface Compared {
  readonly nginx: string
  readonly engines: readonly Engine[]
}

/** Starts nginx, and Viaduct on each engine, with one configuration. */
export async function startAll(
  dir: string,
  scenario: Scenario,
  { nginx, engines }: Compared,
  origin: string,
): Promise<Running[]> {
  const running: Running[] = []
  for (const name of ['nginx', ...engines] as const) {
    const own = path.join(dir, name)
    const { child, port } =
      name === 'nginx'
        ? await start(own, scenario, { command: [nginx], core: SERVER_CORE, http: nginxOnly(own) }, origin)
        : await start(own, scenario, { command: [VIADUCT], core: SERVER_CORE, events: `use ${name};` }, origin)
    const scheme = scenario.tls ? 'https' : 'http'
    running.push({ name, child, url: `${scheme}://127.0.0.1:${port}${scenario.target}`, dir: own })
  }
  return running
}

/** Starts ours alone with a configuration. */
export async function startOurs(dir: string, scenario: Scenario, origin: string): Promise<Running> {
  const program = { command: [VIADUCT], core: SERVER_CORE, events: 'use io_uring;' }
  const { child, port } = await start(dir, scenario, program, origin)
  return { name: 'io_uring', child, url: `http://127.0.0.1:${port}${scenario.target}`, dir }
}

/** Starts a back end that sends back what it gets, with the trailers of gRPC; resolves with its process and address. */
export async function startGrpcOrigin(): Promise<{ child: ChildProcess; address: string }> {
  const [port] = await freePorts(1)
  const child = startPinned(LOAD_CORE, [process.execPath, GRPC_ORIGIN, String(port)])
  await listening(port!, child)
  return { child, address: `127.0.0.1:${port}` }
}

function makeCertificate(dir: string, kind: true | 'rsa'): void {
  const key = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const files = ['-nodes', '-keyout', `${dir}/key.pem`, '-out', `${dir}/cert.pem`]
  const words = ['req', '-x509', '-newkey', ...key, ...files, '-days', '30', '-subj', '/CN=localhost']
  execFileSync('openssl', words, { stdio: 'ignore' })
}

/** Ends servers. */
export async function stopAll(running: readonly { readonly child: ChildProcess }[]): Promise<void> {
  await Promise.all(running.map(({ child }) => stopProcess(child)))
}

/** Folders that nginx has built in and that an ordinary user cannot write to. */
function nginxOnly(dir: string): string {
  return ['fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${dir}/${name};`).join(' ')
}

/** A server as it is started, with what its configuration has besides the scenario's. */
interface Program {
  readonly command: readonly string[]
  readonly core: number
  readonly events?: string
  readonly http?: string
}

async function start(
  dir: string,
  scenario: Scenario,
  program: Program,
  origin: string,
): Promise<{ child: ChildProcess; port: number }> {
  const { command, core } = program
  const [port] = await freePorts(1)
  fs.mkdirSync(`${dir}/html`, { recursive: true })
  for (const [name, text] of Object.entries(scenario.files ?? {})) fs.writeFileSync(`${dir}/html/${name}`, text)
  if (scenario.tls) makeCertificate(dir, scenario.tls)
  const http = scenario.http
    .replaceAll('%%PORT%%', String(port))
    .replaceAll('%%ORIGIN%%', origin)
    .replaceAll('%%PHP%%', path.join(dir, '../php'))
  const user = process.getuid?.() === 0 ? 'user root root;' : ''
  const conf = `${user} daemon off; worker_processes 1; pid %%DIR%%/nginx.pid; error_log %%DIR%%/error.log warn;
events { worker_connections 4096; ${program.events ?? ''} }
http {
client_body_temp_path %%DIR%%/body; proxy_temp_path %%DIR%%/proxy; ${program.http ?? ''}
${http}
}
`
  fs.writeFileSync(`${dir}/nginx.conf`, conf.replaceAll('%%DIR%%', dir))
  const child = startPinned(core, [...command, '-p', `${dir}/`, '-c', `${dir}/nginx.conf`, '-e', `${dir}/error.log`])
  await listening(port!, child)
  return { child, port: port! }
}
