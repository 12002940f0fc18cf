/** What the machine has to say about a request: files that the workers may not read, sockets that nobody listens on, certificates. */
import { X509Certificate } from 'node:crypto'
import fs from 'node:fs'
import path from 'node:path'
import type { Config } from '../../config/load.ts'
import { errnoCode, errnoText } from '../../lib/errno.ts'
import { parseIp } from '../../lib/ip.ts'
import { mainDirectives } from '../../modules/core/main.ts'
import { findGroup, findUser } from '../../process/accounts.ts'
import type { Template } from '../../value/template.ts'
import type { Advice } from './advice.ts'
import { inForce } from './places.ts'
import type { Answered } from './run.ts'
import { decodeSent } from './sent.ts'

/** Whose rights the workers have. */
interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** Looks at the disk, at the sockets of this machine and at certificates; contacts nobody. */
export function surroundings(answered: Answered, config: Config): readonly Advice[] {
  const account = workerAccount(config)
  // Of a client that is refused before there is a request nothing else is of interest.
  return [...certificate(answered, config), ...files(answered, account), ...backEnds(answered, account)]
}

/** Undefined when the server is not started by root: then it is whoever starts it. */
function workerAccount(config: Config): Account | undefined {
  const given = config.main.resolve(mainDirectives).user
  const name = given?.user ?? 'nobody'
  const found = findUser(name)
  if (found === undefined) return undefined
  const gid = given?.group === undefined ? found.gid : (findGroup([given.group]) ?? found.gid)
  return { name, uid: found.uid, gid }
}

function files({ told, status }: Answered, account: Account | undefined): Advice[] {
  const last = told.findLast(({ kind, depth }) => kind === 'file' && depth === 0)
  if (last === undefined || account === undefined) return []
  const cut = last.text.lastIndexOf(': ')
  const file = last.text.slice(0, cut)
  const barred = barrier(file, account)
  if (barred !== undefined) return [{ text: barred, at: inForce(last.location.scope, 'root').at(-1)?.at }]
  if (status === 404 && last.text.endsWith('ENOENT')) {
    const missing = firstMissing(file)
    if (missing !== file)
      return [
        {
          text: `of ${file} the folder ${missing} is missing already`,
          at: inForce(last.location.scope, 'root').at(-1)?.at,
        },
      ]
  }
  return []
}

const READ = 4
const ENTER = 1

/** The first thing on the way to `file` that the workers may not enter or read. */
function barrier(file: string, account: Account): string | undefined {
  const parts = file.split('/')
  for (let i = 1; i <= parts.length; i++) {
    const at = parts.slice(0, i).join('/') || '/'
    const status = statOf(at)
    if (status === undefined) return undefined
    const needed = status.isDirectory() && at !== file ? ENTER : READ
    if (may(status, needed, account)) continue
    const mode = (status.mode & 0o777).toString(8).padStart(3, '0')
    return `workers run as ${account.name}, who may not ${needed === ENTER ? 'enter' : 'read'} ${at} (mode ${mode})`
  }
  return undefined
}

function may(status: fs.Stats, right: number, { uid, gid }: Account): boolean {
  if (uid === 0) return true
  const shift = status.uid === uid ? 6 : status.gid === gid ? 3 : 0
  return ((status.mode >> shift) & right) === right
}

function statOf(file: string): fs.Stats | undefined {
  return fs.statSync(file, { throwIfNoEntry: false })
}

function firstMissing(file: string): string {
  let at = file
  while (at !== '/' && at !== '' && !fs.existsSync(path.dirname(at))) at = path.dirname(at)
  return at
}

const WRITE = 2

function backEnds({ told, question }: Answered, account: Account | undefined): Advice[] {
  const last = told.findLast(({ kind, depth }) => kind === 'back end' && depth === 0)
  if (last?.asked === undefined) return []
  const { peer, url, head } = last.asked
  const scheme = url.split(':', 1)[0]!
  const at = inForce(last.location.scope, `${scheme.replace(/s$/, '').replace('http', 'proxy')}_pass`).at(-1)?.at
  const advice: Advice[] = []
  if (question.supposed !== undefined) {
    const problem = peer.startsWith('unix:') ? socketProblem(peer.slice(5), account) : portProblem(peer)
    if (problem !== undefined) advice.push({ text: problem, at })
  }
  if (scheme === 'fastcgi') {
    const script = decodeSent(scheme, head).fields.findLast(([name]) => name === 'SCRIPT_FILENAME')?.[1]
    if (script !== undefined && script !== '' && statOf(script) === undefined) {
      advice.push({
        text: `SCRIPT_FILENAME is ${script}, which is not there (on this machine): php-fpm says "File not found." then`,
        at,
      })
    }
  }
  return advice
}

function socketProblem(file: string, account: Account | undefined): string | undefined {
  try {
    const status = fs.statSync(file)
    if (!status.isSocket()) return `${file} is no socket`
    if (account === undefined) return undefined
    if (may(status, WRITE, account)) return barrier(path.dirname(file), account)
    return `workers run as ${account.name}, who may not connect to ${file} (mode ${(status.mode & 0o777).toString(8)})`
  } catch (error) {
    return `connect() to unix:${file} would fail ${errnoText(errnoCode(error))}`
  }
}

/** Nobody on this machine listens where the address is one of its own. */
function portProblem(peer: string): string | undefined {
  const match = /^(127\.\d+\.\d+\.\d+|\[::1\]):(\d+)$/.exec(peer)
  if (match === null) return undefined
  const ports = listeningPorts()
  if (ports === undefined || ports.has(Number(match[2]))) return undefined
  return `nobody listens on ${peer} now: connect() would fail (111: Connection refused)`
}

const LISTEN = '0A'

/** The ports that the kernel lists; undefined where it does not. */
function listeningPorts(): ReadonlySet<number> | undefined {
  const ports = new Set<number>()
  try {
    for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
      for (const line of fs.existsSync(file) ? fs.readFileSync(file, 'latin1').split('\n').slice(1) : []) {
        const [, local, , state] = line.trim().split(/\s+/)
        if (state === LISTEN && local !== undefined)
          ports.add(Number.parseInt(local.slice(local.lastIndexOf(':') + 1), 16))
      }
    }
    return ports
  } catch {
    return undefined
  }
}

function certificate({ question, server, endpoint }: Answered, config: Config): Advice[] {
  if (!question.secure) return []
  const owner = server ?? endpoint.servers.defaultServer
  const given =
    inForce(owner.base.scope, 'ssl_certificate').at(-1) ??
    inForce(endpoint.servers.defaultServer.base.scope, 'ssl_certificate').at(-1)
  if (given === undefined) return []
  const { constant } = (given.value as { readonly template: Template }).template
  if (constant === undefined) return []
  try {
    const found = new X509Certificate(fs.readFileSync(path.resolve(config.confPrefix, constant)))
    const until = new Date(found.validTo)
    const days = Math.floor((until.getTime() - Date.now()) / 86_400_000)
    const advice: Advice[] = []
    const covers = parseIp(question.host) === undefined ? found.checkHost(question.host) : found.checkIP(question.host)
    if (covers === undefined) {
      advice.push({
        text: `the certificate is for ${found.subjectAltName?.replaceAll('DNS:', '') ?? found.subject}, not for ${question.host}`,
        at: given.at,
      })
    }
    if (days < 0) advice.push({ text: `the certificate expired ${-days} days ago`, at: given.at })
    return advice
  } catch {
    return []
  }
}
