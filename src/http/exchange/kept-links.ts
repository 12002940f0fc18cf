/**
 * Connections to FastCGI servers. Such a server has a process per connection, also while nothing is sent on it: php-fpm
 * with as many processes as other threads keep connections serves nobody else until those are closed, and looks hung
 * although it has nothing to do. So threads tell each other when a request waits for the first byte on a connection of its
 * own: then nobody keeps one to that server which it does not use (nginx lets the request run into its time-out).
 */
import { clock } from '../../lib/clock.ts'
import { Roster, type RosterMember } from '../../lib/roster.ts'
import { setTimer, Timer, type TimerOwner } from '../../net/timer-wheel.ts'
import type { WaitingCounts } from '../../shared/waiting-counts.ts'
import type { Peer } from '../../upstream/peer.ts'
import { type ConnectionPool, type ConnectOptions, PeerConnection } from '../../upstream/pool.ts'
import type { Link, Links } from './link.ts'

/** A request that has waited so long may be waiting for a process. */
const WAIT_MS = 100
const LOOK_MS = 50

/** A connection with what it was to know about those who wait. */
class CountedConnection extends PeerConnection implements RosterMember {
  /** Among those that were given back; some are in use again, or closed. */
  rosterPlace = -1
  /** The count that was seen when its request began, or it was given back. */
  seen = 0
}

/** A connection that has not answered yet. */
interface Silent {
  readonly connection: CountedConnection
  readonly sinceMs: number
}

class KeptLinks implements Links, TimerOwner {
  /** Undefined while no location keeps connections: then there is nothing to tell. */
  #counts: WaitingCounts | undefined
  #silent: Silent[] = []
  readonly #kept = new Roster<CountedConnection>()
  readonly #timer = new Timer(this)

  /** Connections are kept, and these counts are those of all threads. */
  share(counts: WaitingCounts): void {
    this.#counts = counts
  }

  take(pool: ConnectionPool | undefined, peer: Peer, tag: string, options: ConnectOptions): Link | undefined {
    // Links of this protocol are made here.
    const connection = pool?.take(peer, tag, options) as CountedConnection | undefined
    if (connection === undefined || this.#counts === undefined) return connection
    this.#kept.delete(connection)
    connection.seen = this.#counts.of(peer.address.name)
    return connection
  }

  open(_pool: ConnectionPool | undefined, peer: Peer, _tag: string, options: ConnectOptions): Link {
    const connection = new CountedConnection(peer, options)
    if (this.#counts === undefined) return connection
    connection.seen = this.#counts.of(peer.address.name)
    this.#silent.push({ connection, sinceMs: clock.monotonic })
    this.#look()
    return connection
  }

  give(link: Link, pool: ConnectionPool, tag: string): void {
    const connection = link as CountedConnection
    if (this.#counts === undefined) return pool.give(connection, tag)
    if (this.#counts.of(connection.peer.address.name) !== connection.seen) return connection.close()
    pool.give(connection, tag)
    this.#kept.add(connection)
    this.#look()
  }

  #look(): void {
    if (this.#timer.purpose === 1) return
    this.#timer.purpose = 1
    setTimer(this.#timer, LOOK_MS)
  }

  onTimeout(): void {
    const counts = this.#counts!
    this.#timer.purpose = 0
    this.#silent = this.#silent.filter((one) => this.#isSilent(one, counts))
    for (const connection of this.#kept.all()) {
      if (connection.idle && counts.of(connection.peer.address.name) === connection.seen) continue
      this.#kept.delete(connection)
      connection.drop()
    }
    if (this.#silent.length > 0 || this.#kept.count > 0) this.#look()
  }

  /** It is still to be looked at; one that has waited long enough is counted, once. */
  #isSilent({ connection, sinceMs }: Silent, counts: WaitingCounts): boolean {
    if (connection.wire.bytesRead > 0 || connection.wire.closed) return false
    if (clock.monotonic - sinceMs < WAIT_MS) return true
    const before = counts.add(connection.peer.address.name)
    // It does not wait for itself.
    if (connection.seen === before) connection.seen = before + 1
    return false
  }
}

/** Those of this thread. */
export const KEPT_LINKS: KeptLinks = new KeptLinks()
