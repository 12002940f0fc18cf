/** The directives that choose how a group shares out requests, and the balancer that each of them means. */
import { none, oneOf, raw } from '../../../config/args.ts'
import { mapped, optional, tuple } from '../../../config/combine.ts'
import { type ConfOf, directive, type ScopeView } from '../../../config/directive.ts'
import type { HttpTree } from '../../../http/compile/module.ts'
import type { Request } from '../../../http/request/request.ts'
import { clock } from '../../../lib/clock.ts'
import type { BalancerFactory } from '../../../upstream/balancers/balancer.ts'
import { ConsistentHash } from '../../../upstream/balancers/consistent-hash.ts'
import { Fair, type FairWeight } from '../../../upstream/balancers/fair.ts'
import { Hash } from '../../../upstream/balancers/hash.ts'
import { IpHash } from '../../../upstream/balancers/ip-hash.ts'
import { LeastConn } from '../../../upstream/balancers/least-conn.ts'
import { eta, LeastTime } from '../../../upstream/balancers/least-time.ts'
import { type Comparison, Random } from '../../../upstream/balancers/random.ts'
import { RoundRobin } from '../../../upstream/balancers/round-robin.ts'
import { readTemplate, type Template } from '../../../value/template.ts'

const IN = ['upstream'] as const

/** One directive per method; they stand inside `upstream`. */
export const methodDirectives = {
  least_conn: directive({ in: IN, args: none, doc: 'Prefers the server with the fewest connections.' }),
  ip_hash: directive({ in: IN, args: none, doc: 'Gives a client network the same server.' }),
  hash: directive({
    in: IN,
    duplicate: false,
    args: mapped(raw('key [consistent]', { min: 1, max: 2 }), ([key, consistent], _, at) => {
      if (consistent !== undefined && consistent.text !== 'consistent') {
        return at.fail(`invalid parameter "${consistent.text}"`, consistent)
      }
      return { key: readTemplate(key!, at), consistent: consistent !== undefined }
    }),
    doc: 'Gives a key the same server; `consistent`: a changed group moves few keys.',
  }),
  random: directive({
    in: IN,
    duplicate: false,
    args: mapped(raw('[two [method]]', { max: 2 }), ([two, method], _, at): Comparison | 'one' => {
      if (two === undefined) return 'one'
      if (two.text !== 'two') return at.fail(`invalid parameter "${two.text}"`, two)
      const compare = COMPARISONS[method?.text ?? 'least_conn']
      return compare ?? at.fail(`invalid parameter "${method?.text}"`, method)
    }),
    doc: 'A random server, or the better of two: by least_conn, least_time=header or least_time=last_byte.',
  }),
  fair: directive({
    in: IN,
    args: mapped(raw('[no_rr] [weight_mode=idle | weight_mode=peak]', { max: 2 }), (words, _, at) => {
      let weight: FairWeight = 'share'
      let circle = true
      for (const word of words) {
        if (word.text === 'no_rr') circle = false
        else if (word.text === 'weight_mode=idle') weight = 'idle'
        else if (word.text === 'weight_mode=peak') weight = 'peak'
        else at.fail(`invalid parameter "${word.text}"`, word)
      }
      return { weight, circle }
    }),
    doc: 'Prefers the server with the fewest requests under way, and goes round in a circle among equals.',
  }),
  least_time: directive({
    in: IN,
    args: mapped(
      tuple(oneOf('header', 'last_byte'), optional(raw('[inflight]', { max: 1 }))),
      ([mode, words], _, at) => {
        const inflight = words?.[0]
        if (inflight !== undefined && inflight.text !== 'inflight') {
          return at.fail(`invalid parameter "${inflight.text}"`, inflight)
        }
        return { header: mode === 'header', inflight: inflight !== undefined }
      },
    ),
    doc: 'Prefers the server that answers soonest.',
  }),
}

const nowSeconds = (): number => Math.floor(clock.monotonic / 1000) + 1

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  least_conn: (peer) => peer.conns,
  'least_time=header': (peer) => eta(peer, true, nowSeconds()),
  'least_time=last_byte': (peer) => eta(peer, false, nowSeconds()),
}

/** How a group shares out, and what its hash is taken of. */
export interface Method {
  readonly make: BalancerFactory
  readonly key: Template | 'address' | undefined
}

/** The method of a group: the last one given holds, and giving several is worth a warning. */
export function methodOf(scope: ScopeView, tree: HttpTree): Method {
  const given = scope.ordered(methodDirectives)
  for (const { at } of given.slice(1)) tree.warn('load balancing method redefined', at)
  const last = given.at(-1)
  if (last === undefined) return { make: (peers) => new RoundRobin(peers), key: undefined }
  return METHODS[last.name](scope.resolve(methodDirectives))
}

type Conf = ConfOf<typeof methodDirectives>

const METHODS: { readonly [K in keyof typeof methodDirectives]: (conf: Conf) => Method } = {
  least_conn: () => ({ make: (peers) => new LeastConn(peers), key: undefined }),
  ip_hash: () => ({ make: (peers) => new IpHash(peers), key: 'address' }),
  hash: ({ hash }) => ({
    make: hash!.consistent ? (peers) => new ConsistentHash(peers) : (peers) => new Hash(peers),
    key: hash!.key,
  }),
  random: ({ random }) => ({
    make: (peers) => new Random(peers, random === 'one' ? undefined : random),
    key: undefined,
  }),
  fair: ({ fair }) => ({ make: (peers) => new Fair(peers, fair!.weight, fair!.circle), key: undefined }),
  least_time: ({ least_time }) => ({
    make: (peers) => new LeastTime(peers, least_time!.header, least_time!.inflight),
    key: undefined,
  }),
}

/** Compiles what a method hashes. */
export function compileKey(key: Method['key'], tree: HttpTree): ((r: Request) => string) | undefined {
  if (key === undefined) return undefined
  return key === 'address' ? (r) => r.client.binaryAddress : tree.text(key)
}
