/** What tests of deployment need of the machine: programs, a Debian of their own, namespaces. */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const ROOT: string = fileURLToPath(new URL('../..', import.meta.url))
const DEBIAN = path.join(os.tmpdir(), 'viaduct-debian')
const SUITE = 'bookworm'
const MIRROR = 'http://deb.debian.org/debian'
const PACKAGES = 'gettext-base,ca-certificates,nginx-light,logrotate'

/** Why a test cannot run here: the programs that are missing, or that it is not root; undefined when it can. */
export function missing(...programs: readonly string[]): string | undefined {
  const absent = programs.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)
  if (absent.length > 0) return `not here: ${absent.join(', ')}`
  return process.geteuid?.() === 0 ? undefined : 'it needs root'
}

/** Why there can be no Debian for tests, such as a mirror that is out of reach; undefined when there is one. */
export function noDebian(): string | undefined {
  try {
    debianRoot()
    return undefined
  } catch (error) {
    return `no Debian can be made here: ${(error as Error).message.slice(0, 1000)}`
  }
}

/** A folder with Debian and its nginx, made once for all tests. */
export function debianRoot(): string {
  if (fs.existsSync(path.join(DEBIAN, 'complete'))) return DEBIAN
  fs.rmSync(DEBIAN, { recursive: true, force: true })
  const proxy = spawnSync('apt-config', ['shell', 'proxy', 'Acquire::http::Proxy'], { encoding: 'utf8' }).stdout
  const http_proxy = /proxy='(.*)'/.exec(proxy)?.[1]
  run('debootstrap', ['--variant=minbase', `--include=${PACKAGES}`, SUITE, DEBIAN, MIRROR], {
    ...(http_proxy === undefined ? {} : { http_proxy }),
  })
  fs.writeFileSync(path.join(DEBIAN, 'complete'), '')
  return DEBIAN
}

/** Runs a program to its end and returns what it printed; fails with that when it does. */
export function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    timeout: 300_000,
    maxBuffer: 64 * 1024 * 1024,
  })
  if (status === 0) return stdout
  const words = [program, ...args].join(' ').slice(0, 300)
  throw new Error(`${words}: ${error?.message ?? `status ${status}`}\n${stdout}\n${stderr}`.slice(-6000))
}

/**
 * Runs a script of the shell with a network, mounts and processes of its own, of which nothing is left. Each of its
 * `step NAME COMMAND ...` becomes an entry of the result: what the command printed, and its status.
 */
export function inNamespaces(script: string): ReadonlyMap<string, { readonly text: string; readonly status: number }> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-steps-'))
  const prelude = `
    ip link set lo up
    mount -t proc proc /proc
    step() { name=$1; shift; "$@" > ${folder}/$name.text 2>&1 </dev/null; echo $? > ${folder}/$name.status; }
    until_served() { for i in $(seq 200); do curl -s -o /dev/null "$1" && return; sleep 0.1; done; return 1; }
  `
  try {
    run('unshare', ['--mount', '--net', '--pid', '--fork', '--kill-child', 'sh', '-c', prelude + script])
    const names = fs.readdirSync(folder).filter((name) => name.endsWith('.status'))
    return new Map(
      names.map((file) => {
        const name = file.replace('.status', '')
        const text = fs.readFileSync(path.join(folder, `${name}.text`), 'utf8')
        return [name, { text, status: Number(fs.readFileSync(path.join(folder, file), 'utf8')) }]
      }),
    )
  } finally {
    fs.rmSync(folder, { recursive: true, force: true })
  }
}
