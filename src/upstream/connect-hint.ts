/** What is likely behind a refusal to connect, said behind nginx's words: whose socket it is that we may not use. */
import { ownerName } from '../lib/account-names.ts'
import { statPath } from '../lib/file-status.ts'
import type { WireFailure } from '../net/wire-failure.ts'

const UNIX = 'unix:'

/** The hint, beginning with what sets it off, or empty. */
export function connectHint(failure: WireFailure | undefined): string {
  if (failure?.kind !== 'system' || failure.errno !== 'EACCES' || !failure.on.startsWith(UNIX)) return ''
  const us = ownerName(process.geteuid!(), process.getegid!())
  const socket = statPath(failure.on.slice(UNIX.length))
  if (typeof socket === 'string') return ` (this process runs as ${us}, which may not enter all folders of the path)`
  const mode = (socket.mode & 0o777).toString(8)
  return ` (the socket belongs to ${ownerName(socket.uid, socket.gid)} and has mode ${mode}, this process runs as ${us})`
}
