/** The `events` block: how many connections a worker may hold, and what drives their sockets. */
import { flag, milliseconds, none, number, word } from '../../config/args.ts'
import { cidrs } from '../../config/cidrs.ts'
import { worded } from '../../config/combine.ts'
import { block, directive, directives } from '../../config/directive.ts'
import type { Config } from '../../config/load.ts'
import type { Cidr } from '../../lib/cidr.ts'

/** Ours, and those that some build of nginx has: naming another one is a mistake worth reporting. */
const METHODS: readonly string[] = ['io_uring', 'epoll', 'poll', 'select', 'kqueue', 'eventport', '/dev/poll']

const method = word('method', (w, at) =>
  METHODS.includes(w.text) ? w.text : at.fail(`invalid event type "${w.text}"`, w, `one of: ${METHODS.join(', ')}`),
)

const scheduling = 'Node decides when connections are accepted'

/** The directives inside `events`. */
export const eventsDirectives = {
  worker_connections: directive({
    in: ['events'],
    args: worded(number(), 'invalid number "%v"'),
    default: '512',
    doc: 'Sets how many connections, to clients and to peers, a worker may have open at once.',
  }),
  debug_connection: directives({
    in: ['events'],
    args: cidrs,
    doc: 'Logs everything about connections from these addresses.',
  }),
  use: directive({
    in: ['events'],
    args: method,
    doc:
      'Names what drives sockets: `io_uring`, where the kernel and the package koffi have it, which is the default there, or ' +
      'by any other name what Node uses.',
  }),
  io_uring_tls: directive({
    in: ['events'],
    args: flag,
    default: 'on',
    doc:
      'Has TLS spoken on io_uring, too, where sockets are: by the OpenSSL within Node.js, which is called ' +
      "directly. Without it, connections with TLS are on what Node.js uses, with Node's own engine.",
  }),
  multi_accept: directive({
    in: ['events'],
    args: flag,
    default: 'off',
    doc: 'Accepts all new connections at once.',
    withoutEffect: scheduling,
  }),
  accept_mutex: directive({
    in: ['events'],
    args: flag,
    default: 'off',
    doc: 'Lets workers accept in turn.',
    withoutEffect: 'every worker has a queue of its own',
  }),
  accept_mutex_delay: directive({
    in: ['events'],
    args: milliseconds,
    default: '500ms',
    doc: 'Sets how long a worker waits for its turn to accept.',
    withoutEffect: 'every worker has a queue of its own',
  }),
  epoll_events: directive({
    in: ['events'],
    args: number(),
    default: '512',
    doc: 'Sets how many events are taken from the kernel at once.',
    withoutEffect: 'Node and the ring have a size of their own',
  }),
  worker_aio_requests: directive({
    in: ['events'],
    args: number(),
    default: '32',
    doc: 'Sets the number of outstanding asynchronous I/O operations.',
    withoutEffect: 'Node has one pool of its own',
  }),
}

/** The block itself. */
export const eventsBlocks = {
  events: block({
    in: ['main'],
    args: none,
    opens: 'events',
    duplicate: '"events" directive is duplicate',
    doc: 'Holds the directives about connection processing.',
  }),
}

/** The module list's entry for the `events` context. */
export const eventsModule = { name: 'events', directives: { ...eventsBlocks, ...eventsDirectives } }

/** The addresses of `debug_connection`. */
export function debugAddresses(config: Config): readonly Cidr[] {
  const [events] = config.main.resolve(eventsBlocks).events
  return events?.scope.resolve(eventsDirectives).debug_connection.flat() ?? []
}

/** What drives sockets; `best`: nobody has said it, and the ring does where it can be had. */
export type EventMethod = 'io_uring' | 'epoll' | 'best'

/** The method that is asked for. */
export function eventMethod(config: Config): EventMethod {
  const [events] = config.main.resolve(eventsBlocks).events
  const asked = events?.scope.resolve(eventsDirectives).use
  if (asked === undefined) return 'best'
  return asked === 'io_uring' ? asked : 'epoll'
}

/** TLS is spoken on the ring, where there is one. */
export function ringSpeaksTls(config: Config): boolean {
  const [events] = config.main.resolve(eventsBlocks).events
  return events?.scope.resolve(eventsDirectives).io_uring_tls ?? true
}
