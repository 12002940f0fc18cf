/** `http/keyvals`: pairs of keys and values, read and changed. */

import { toBinary } from '../../../lib/bytes.ts'
import { clock } from '../../../lib/clock.ts'
import type { Pair, PairOutcome } from '../../../shared/keyval-records.ts'
import { type KeyvalZone, keyvalZonesOf } from '../../../tree/keyval-zones.ts'
import { type Answer, DONE_SILENTLY, found, type Problem, problem } from './answer.ts'
import { type JsonObject, readJson } from './json-body.ts'
import type { Ask, Resource } from './resource.ts'

const KEYVAL_NOT_FOUND = problem(404, 'KeyvalNotFound', 'keyval not found')
const KEY_NOT_FOUND = problem(404, 'KeyvalKeyNotFound', 'keyval key not found')
const KEY_EXISTS = problem(409, 'KeyvalKeyExists', 'key already exists')
const FULL = problem(413, 'KeyvalFull', 'keyval zone memory exhausted')

/** The resources of pairs. */
export const keyvalResources: readonly Resource[] = [
  { path: 'http/keyvals', since: 1, get: all },
  {
    path: 'http/keyvals/*',
    since: 1,
    get: (ask) => within(ask, one),
    changes: {
      POST: (ask) => within(ask, add),
      PATCH: (ask) => within(ask, change),
      DELETE: (ask) => within(ask, clear),
    },
  },
]

function within(ask: Ask, answer: (ask: Ask, zone: KeyvalZone) => Answer | Problem): Answer | Problem {
  const zone = keyvalZonesOf(ask.tree).find(ask.names[0]!)
  return zone === undefined ? KEYVAL_NOT_FOUND : answer(ask, zone)
}

function all(ask: Ask): Answer {
  const zones = keyvalZonesOf(ask.tree).all
  if (ask.argument('fields') === '') return found([...zones.keys()])
  return found(Object.fromEntries([...zones].map(([name, zone]) => [name, objectOf(pairsOf(zone))])))
}

function pairsOf(zone: KeyvalZone): readonly Pair[] {
  return zone.records?.all(clock.now) ?? []
}

function objectOf(pairs: readonly Pair[]): object {
  return Object.fromEntries(pairs.map(({ key, value }) => [key, value]))
}

function one(ask: Ask, zone: KeyvalZone): Answer | Problem {
  const key = ask.argument('key')
  if (key === undefined) return found(objectOf(pairsOf(zone)))
  const pair = zone.records?.pair(toBinary(key), clock.now)
  return pair === undefined ? KEY_NOT_FOUND : found(objectOf([pair]))
}

/** What is given for a key: a value, an end, both, or that it is to go. */
interface Given {
  readonly key: string
  readonly value: string | null | undefined
  readonly expireMs: number | undefined
}

function format(text: string): Problem {
  return problem(400, 'KeyvalFormatError', text)
}

function readGiven(body: Buffer, zone: KeyvalZone): readonly Given[] | Problem {
  const json = readJson(body)
  if ('code' in json) return json
  const given: Given[] = []
  for (const [key, value] of json) {
    const one = givenOf(key, value)
    if (one === undefined) return format('invalid JSON')
    if (one.expireMs !== undefined && zone.spec.timeoutMs === 0) return format('keyval timeout is not enabled')
    given.push(one)
  }
  return given.length === 0 ? format('key required') : given
}

function givenOf(key: string, value: unknown): Given | undefined {
  if (value === null) return { key, value, expireMs: undefined }
  if (typeof value === 'string') return { key, value, expireMs: undefined }
  if (typeof value !== 'object' || Array.isArray(value)) return undefined
  const object: JsonObject = new Map(Object.entries(value))
  const [text, expire] = [object.get('value'), object.get('expire')]
  if ([...object.keys()].some((field) => field !== 'value' && field !== 'expire')) return undefined
  if (text !== undefined && text !== null && typeof text !== 'string') return undefined
  if (expire !== undefined && !(typeof expire === 'number' && expire >= 0 && Number.isFinite(expire))) return undefined
  return { key, value: text, expireMs: expire }
}

function add({ body }: Ask, zone: KeyvalZone): Answer | Problem {
  const given = readGiven(body, zone)
  if ('code' in given) return given
  if (given.length > 1 && pairsOf(zone).length > 0) return format('only one key can be added')
  if (given.some(({ value }) => typeof value !== 'string')) return format('invalid JSON')
  const now = clock.now
  const added: string[] = []
  for (const { key, value, expireMs } of given) {
    const outcome = zone.records!.add({ key, value: value!, expiresMs: zone.expiry(now, expireMs) }, now)
    if (outcome === 'done') {
      added.push(key)
      continue
    }
    for (const before of added) zone.records!.remove(before, now)
    return problemOf(outcome)
  }
  const problemKeeping = zone.save(now)
  if (problemKeeping === '') return { status: 201 }
  for (const key of added) zone.records!.remove(key, now)
  return notKept(problemKeeping)
}

function problemOf(outcome: PairOutcome): Problem {
  switch (outcome) {
    case 'exists':
      return KEY_EXISTS
    case 'missing':
      return KEY_NOT_FOUND
    case 'full':
      return FULL
    default:
      return format('invalid key format')
  }
}

function notKept(why: string): Problem {
  return problem(500, 'StateFileError', `the change cannot be kept, and was not made: ${why}`)
}

function change({ body }: Ask, zone: KeyvalZone): Answer | Problem {
  const given = readGiven(body, zone)
  if ('code' in given) return given
  if (given.length > 1) return format('only one key can be updated')
  const now = clock.now
  const records = zone.records!
  const { key, value, expireMs } = given[0]!
  const before = records.pair(key, now)
  if (before === undefined) return KEY_NOT_FOUND
  const outcome =
    value === null ? records.remove(key, now) : records.change(key, changeOf(zone, now, value, expireMs), now)
  if (outcome !== 'done') return problemOf(outcome)
  const problemKeeping = zone.save(now)
  if (problemKeeping === '') return DONE_SILENTLY
  records.remove(key, now)
  records.add(before, now)
  return notKept(problemKeeping)
}

function changeOf(
  zone: KeyvalZone,
  now: number,
  value: string | undefined,
  expireMs: number | undefined,
): { readonly value?: string; readonly expiresMs?: number } {
  // A new value begins a new life; an end alone leaves the value.
  const expiresMs = zone.expiry(now, expireMs)
  return value === undefined ? { expiresMs } : { value, expiresMs }
}

function clear(_: Ask, zone: KeyvalZone): Answer | Problem {
  const now = clock.now
  const before = pairsOf(zone)
  zone.records?.clear()
  const problemKeeping = zone.save(now)
  if (problemKeeping === '') return DONE_SILENTLY
  for (const pair of before) zone.records?.add(pair, now)
  return notKept(problemKeeping)
}
