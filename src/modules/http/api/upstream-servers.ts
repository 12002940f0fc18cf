/** The list of servers of a group, as NGINX Plus shows it and lets change it. */
import { type ListedPeer, listPeers } from '../../../http/status/upstreams.ts'
import type { PeerGroup } from '../../../upstream/group.ts'
import { BOOK_FULL, type ServerEntry } from '../../../upstream/server-book.ts'
import type { ServerSpec } from '../../../upstream/server-line.ts'
import { type Answer, found, type Problem, problem } from './answer.ts'
import type { Ask } from './resource.ts'
import { NEW_SERVER, readServer } from './server-body.ts'

/** All servers of a group: those behind names follow these. */
export function serversOf(group: PeerGroup): readonly object[] {
  const peers = listPeers(group)
  return group.servers!.entries.flatMap((entry) => [
    serverObject(entry.id, entry.spec),
    ...peers.filter(({ parent }) => parent === entry.id).map((child) => childObject(child, entry)),
  ])
}

function serverObject(id: number, { text, service, backup, options }: ServerSpec): object {
  return {
    id,
    server: text,
    ...(service === '' ? {} : { service }),
    weight: options.weight,
    max_conns: options.maxConns,
    max_fails: options.maxFails,
    fail_timeout: `${options.failTimeoutS}s`,
    slow_start: timeText(options.slowStartMs),
    route: options.route,
    backup,
    down: options.down,
    ...(options.drain ? { drain: true } : {}),
  }
}

function childObject({ id, peer }: ListedPeer, parent: ServerEntry): object {
  const { text, service, ...rest } = parent.spec
  const spec = { ...rest, text: peer.address.name, service: '', options: peer.options }
  return { ...serverObject(id, spec), parent: parent.id, host: service === '' ? text : peer.server }
}

function timeText(ms: number): string {
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`
}

const BAD_ID = problem(400, 'UpstreamBadServerId', 'invalid server id')
const ENTRY_EXISTS = problem(409, 'EntryExists', 'entry exists')

function notFound(id: string): Problem {
  return problem(404, 'UpstreamServerNotFound', `server with id "${id}" does not exist`)
}

/** One server. */
export function oneServer({ names: [, idText = ''] }: Ask, group: PeerGroup): Answer | Problem {
  if (!/^\d{1,9}$/.test(idText)) return BAD_ID
  const id = Number(idText)
  const entry = group.servers!.entries.find((known) => known.id === id)
  if (entry !== undefined) return found(serverObject(id, entry.spec))
  const child = listPeers(group).find((listed) => listed.id === id && listed.parent !== undefined)
  const parent = group.servers!.entries.find((known) => known.id === child?.parent)
  return child === undefined || parent === undefined ? notFound(idText) : found(childObject(child, parent))
}

/** Adds a server: 201 with what it is. */
export function addServer(ask: Ask, group: PeerGroup): Answer | Problem {
  const spec = readServer(ask, group, NEW_SERVER)
  if ('code' in spec) return spec
  let made: ServerEntry | undefined
  const changed = group.servers!.change((entries, id) => {
    if (entries.some((entry) => entry.spec.text === spec.text && entry.spec.service === spec.service)) {
      return ENTRY_EXISTS.text
    }
    made = { id, spec }
    return [...entries, made]
  })
  if (typeof changed === 'string') return changed === ENTRY_EXISTS.text ? ENTRY_EXISTS : refused(group, changed)
  const { id } = made!
  const location = `${ask.r.uri.replace(/\/$/, '')}/${id}/`
  return { status: 201, body: serverObject(id, spec), location }
}

/** Changes what is given of a server. */
export function changeServer(ask: Ask, group: PeerGroup): Answer | Problem {
  const entry = editable(ask, group)
  if ('code' in entry) return entry
  const first = readServer(ask, group, entry.spec)
  if ('code' in first) return first
  let made = first
  const changed = group.servers!.change((entries) => {
    const now = entries.find(({ id }) => id === entry.id)
    if (now === undefined) return GONE
    // Others may have changed it meanwhile: what is given here is laid over what is there now.
    const read = readServer(ask, group, now.spec)
    if ('code' in read) return read.text
    made = read
    return entries.map((one) => (one.id === entry.id ? { ...one, spec: read } : one))
  })
  if (changed === GONE) return notFound(String(entry.id))
  return typeof changed === 'string' ? refused(group, changed) : found(serverObject(entry.id, made))
}

const GONE = 'gone'

/** Removes a server: 200 with those that are left. */
export function removeServer(ask: Ask, group: PeerGroup): Answer | Problem {
  const entry = editable(ask, group)
  if ('code' in entry) return entry
  const changed = group.servers!.change((entries) => {
    const left = entries.filter(({ id }) => id !== entry.id)
    return left.length === entries.length ? GONE : left
  })
  if (changed === GONE) return notFound(String(entry.id))
  return typeof changed === 'string' ? refused(group, changed) : found(serversOf(group))
}

/** The server that a change is for. */
function editable({ names: [, idText = ''] }: Ask, group: PeerGroup): ServerEntry | Problem {
  if (!/^\d{1,9}$/.test(idText)) return BAD_ID
  const id = Number(idText)
  const entry = group.servers!.entries.find((known) => known.id === id)
  if (entry !== undefined) return entry
  const isChild = listPeers(group).some((listed) => listed.id === id && listed.parent !== undefined)
  return isChild ? problem(400, 'UpstreamServerImmutable', `server with ID "${idText}" is immutable`) : notFound(idText)
}

function refused(group: PeerGroup, text: string): Problem {
  if (text === BOOK_FULL) {
    return problem(400, 'UpstreamOutOfMemory', `upstream "${group.name}" memory exhausted`)
  }
  return problem(500, 'StateFileError', `the change cannot be kept, and was not made: ${text}`)
}
