/**
 * `proxy_cache_purge zone key`: a location whose every request purges. Guides write keys there that are no more than the
 * URI of the response. When nothing is stored under such a text, the responses to that URI are looked for: those that the
 * locations with this cache would have kept, had it been asked for by GET.
 */

import type { Cache } from '../../cache/cache.ts'
import { cachesOf } from '../../cache/caches.ts'
import type { AttachContext } from '../../compile/module.ts'
import { parseUnsafeUri } from '../../message/unsafe-uri.ts'
import type { UriParts } from '../../message/uri.ts'
import type { Plan, Text } from '../../request/plan.ts'
import type { Request } from '../../request/request.ts'
import type { Verdict } from '../../request/verdict.ts'
import type { PurgeRule } from '../directives/cache-purge.ts'
import { asGet, PURGES, type PurgeConf, purge } from './purge.ts'

const ALWAYS: PurgeConf = { asks: () => PURGES, all: false, silent: false }
const parts: UriParts = { uri: '', args: '' }

/** How the keys of a zone are made, where that is said by `*_cache_key`. */
type KeyTexts = Map<string, Set<Text>>

interface Place {
  readonly cache: Cache
  readonly key: Text
  readonly keys: ReadonlySet<Text>
}

/** Notes how a location makes the keys of a zone. */
export function noteKey(prefix: string, zone: string, key: Text, at: AttachContext): void {
  keysOf(prefix, zone, at).add(key)
}

function keysOf(prefix: string, zone: string, at: AttachContext): Set<Text> {
  const texts = at.shared<KeyTexts>('cache keys', () => new Map())
  const name = `${prefix} ${zone}`
  const known = texts.get(name) ?? new Set()
  texts.set(name, known)
  return known
}

/** Makes the location one that purges, when `rule` says so; reports a zone that is not there. */
export function attachPurge(prefix: string, rule: PurgeRule | undefined, plan: Plan, at: AttachContext): void {
  if (rule === undefined || rule.kind !== 'place') return
  const { text: zone } = rule.zone
  const cache = cachesOf(at).find(prefix, zone)
  if (cache === undefined) {
    at.fail(`"${prefix}_cache_purge" zone "${zone}" is unknown`, rule.zone)
    return
  }
  plan.own(purgeHere, { cache, key: at.text(rule.key), keys: keysOf(prefix, zone, at) })
}

function purgeHere(r: Request, { cache, key, keys }: Place): Verdict {
  const text = asGet(r, key)
  const verdict = purge(r, cache, text, ALWAYS)
  if (verdict < 400 || !text.startsWith('/') || keys.size === 0) return verdict
  for (const own of keys) {
    const found = asGet(r, (request) => asUri(request, text, own))
    const status = purge(r, cache, found, ALWAYS)
    if (status < 400) return status
  }
  return verdict
}

/** The key of the response to `uri`. */
export function asUri(r: Request, uri: string, key: (r: Request) => string): string {
  const { unparsedUri, args } = r
  const before = r.uri
  if (!parseUnsafeUri(uri.endsWith('*') ? uri.slice(0, -1) : uri, parts)) return ''
  r.unparsedUri = uri
  r.uri = parts.uri
  r.args = parts.args
  const text = key(r)
  r.unparsedUri = unparsedUri
  r.uri = before
  r.args = args
  return text
}
