/** What a listener and a worker know of a client's connection, whatever is spoken on it. */
import type { RosterMember } from '../../lib/roster.ts'
import type { Client } from '../request/client.ts'
import type { Reusable } from './reusable.ts'

/** One connection of a client; H1Connection and its like implement it. */
export interface ClientConnection extends Reusable, RosterMember {
  readonly client: Client
  /** The heading under which connection-counters.ts has it; read and cleared by the listener. */
  countedAs: number
  /** It waits for another request and may be closed without loss; a fresh one may not. */
  readonly idle: boolean
  /** Another configuration holds: a connection that waits lets go of what it has of the one before. */
  renew?(): void
  /** Closes at once; requests under way are told. */
  close(): void
  /** The worker cannot wait any longer: as `close`, and the logs say of each request under way that it was cut off. */
  cutOff(): void
  /** The worker or the address goes: ends when the work under way is done. Bytes and requests already sent are served. */
  shutDown(): void
}

/** What is logged of a request that `cutOff` ends. */
export const CUT_OFF = 'request is cut off because worker_shutdown_timeout is over'
