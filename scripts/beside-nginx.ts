/**
 * `npm run beside-nginx`: puts the same requests to nginx and to Viaduct, with the same configuration and the same back
 * ends, and compares responses, logs, and what back ends are sent. The cases are data, in test/conformance/beside-nginx/; what an
 * older nginx does otherwise is said in the case.
 */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import type { Case, Group } from '../test/conformance/beside-nginx/case.ts'
import { accessGroups } from '../test/conformance/beside-nginx/cases/access.ts'
import { cacheGroups } from '../test/conformance/beside-nginx/cases/cache.ts'
import { cachePartsGroups } from '../test/conformance/beside-nginx/cases/cache-parts.ts'
import { davGroups } from '../test/conformance/beside-nginx/cases/dav.ts'
import { fastcgiGroups } from '../test/conformance/beside-nginx/cases/fastcgi.ts'
import { fastcgiTogetherGroups } from '../test/conformance/beside-nginx/cases/fastcgi-together.ts'
import { filtersGroups } from '../test/conformance/beside-nginx/cases/filters.ts'
import { grpcGroups } from '../test/conformance/beside-nginx/cases/grpc.ts'
import { http2Groups } from '../test/conformance/beside-nginx/cases/http2.ts'
import { logsGroups } from '../test/conformance/beside-nginx/cases/logs.ts'
import { memcachedGroups } from '../test/conformance/beside-nginx/cases/memcached.ts'
import { proxyGroups } from '../test/conformance/beside-nginx/cases/proxy.ts'
import { requestsGroups } from '../test/conformance/beside-nginx/cases/requests.ts'
import { rewriteGroups } from '../test/conformance/beside-nginx/cases/rewrite.ts'
import { scgiUwsgiGroups } from '../test/conformance/beside-nginx/cases/scgi-uwsgi.ts'
import { securedGroups } from '../test/conformance/beside-nginx/cases/secured.ts'
import { staticGroups } from '../test/conformance/beside-nginx/cases/static.ts'
import { togetherGroups } from '../test/conformance/beside-nginx/cases/together.ts'
import { compare, type Difference } from '../test/conformance/beside-nginx/compare.ts'
import { KNOWN, type Known } from '../test/conformance/beside-nginx/known.ts'
import { KNOWN_OF_GATEWAYS } from '../test/conformance/beside-nginx/known-gateways.ts'
import { type Manner, type Own, Side } from '../test/conformance/beside-nginx/side.ts'
import { Certificates } from '../test/harness/certificates.ts'
import { command } from './command.ts'

const VIADUCT = fileURLToPath(new URL('../bin/viaduct', import.meta.url))
const NGINX = process.env['NGINX'] ?? '/usr/sbin/nginx'
const GATEWAYS = [
  ...fastcgiGroups,
  ...fastcgiTogetherGroups,
  ...scgiUwsgiGroups,
  ...memcachedGroups,
  ...grpcGroups,
  ...securedGroups,
]
/** Of those, what runs without being named. */
const GATEWAYS_SHORT = /(?:fastcgi|scgi|uwsgi) requests$|fastcgi kept$|memcached$/
const GROUPS: readonly Group[] = [
  ...requestsGroups,
  ...staticGroups,
  ...rewriteGroups,
  ...proxyGroups,
  ...togetherGroups,
  ...davGroups,
  ...cacheGroups,
  ...cachePartsGroups,
  ...logsGroups,
  ...accessGroups,
  ...GATEWAYS.filter(({ name }) => GATEWAYS_SHORT.test(name)),
]
/** Those that run only when they are named. */
const MORE: readonly Group[] = [
  ...filtersGroups,
  ...http2Groups,
  ...GATEWAYS.filter(({ name }) => !GATEWAYS_SHORT.test(name)),
]
const NAMED = MORE.flatMap(({ name, cases }) => [name, ...Object.keys(cases).map((one) => `${name}: ${one}`)])
/** Silence that ends a case; a difference is believed when it is still there with the longest. */
const QUIET_MS = [25, 120, 600]

/** Reasons that were needed. */
const needed = new Set<Known>()

await command({
  called: 'npm run beside-nginx',
  summary: 'puts the same requests to nginx and to Viaduct, and compares all that can be seen',
  usage: ['[--http2] [--tls] [--engine=ENGINE] [GROUP [CASE]]'],
  about: `Groups whose name begins with the first word, and of these the cases that contain the second. Without words all but what takes
long or needs a newer nginx than Debian's (filters, http2, most of gateways). Needs nginx: nginx-core of Debian, or NGINX=path; without one it does nothing.`,
  options: {
    http2: { type: 'boolean', help: 'the same requests over HTTP/2' },
    tls: { type: 'boolean', help: 'the same over TLS' },
    engine: { type: 'string', value: 'ENGINE', help: 'the engine of Viaduct: io_uring or epoll' },
  },
  examples: [
    ["static 'range'", 'cases with "range" of the groups that begin with "static"'],
    ['--http2 static', 'those groups over HTTP/2'],
    ['--tls --engine=epoll requests', "groups over TLS, on Node's handles"],
  ],
  run: async ({ http2 = false, tls = false, engine = '' }, words) => {
    if (words.length > 2) throw new ToolFailure(`it takes a group and a case, not also "${words[2]}"`)
    const certificates = tls ? new Certificates() : undefined
    const own = { events: engine === '' ? '' : `use ${engine};`, http: 'server_identity nginx;' }
    try {
      return await compareGroups({ http2, pair: certificates?.make('h') }, own, words)
    } finally {
      certificates?.remove()
    }
  },
})

async function compareGroups(
  manner: Manner,
  own: Own,
  [groupWord = '', caseWord = '']: readonly string[],
): Promise<number> {
  const { http2: over2 } = manner
  if (!fs.existsSync(NGINX)) {
    console.log(`skipped: no nginx at ${NGINX} (apt-get install nginx-core, or NGINX=path)`)
    return 0
  }
  const named = groupWord === '' ? GROUPS : [...GROUPS, ...MORE]
  const groups = named.filter((group) => group.name.startsWith(groupWord) && (!over2 || group.http2 !== true))
  if (groups.length === 0) {
    const names = [...GROUPS, ...MORE].map(({ name }) => name)
    throw new ToolFailure(`no group begins with "${groupWord}"`, `there are: ${names.join(', ')}`)
  }
  let count = 0
  let differing = 0
  for (const group of groups) {
    const cases = Object.entries(group.cases).filter(
      ([name, asked]) => name.includes(caseWord) && (!over2 || speakable(asked)),
    )
    count += cases.length
    differing += await runGroup(group, manner, own, cases)
  }
  if (groupWord === '' && caseWord === '' && !over2) {
    for (const known of KNOWN) {
      if (needed.has(known) || KNOWN_OF_GATEWAYS.includes(known) || NAMED.some((name) => known.of.test(name))) continue
      console.log(`no case needs the reason "${known.why}" any more`)
    }
  }
  console.log(`${groups.length} groups, ${count} cases, ${differing} differ without a known reason`)
  return differing === 0 ? 0 : 1
}

/** Runs a group's cases and returns how many are not as they should be. */
async function runGroup(
  group: Group,
  manner: Manner,
  own: Own,
  cases: readonly (readonly [string, Case])[],
): Promise<number> {
  const started = await Promise.allSettled([
    Side.start(NGINX, { events: '', http: '' }, group, manner),
    Side.start(VIADUCT, own, group, manner),
  ])
  const sides = started.flatMap((side) => (side.status === 'fulfilled' ? [side.value] : []))
  for (const side of started) if (side.status === 'rejected') console.log(`${group.name}: ${side.reason}`)
  const [nginx, viaduct] = sides
  let differing = viaduct === undefined ? cases.length : 0
  if (nginx !== undefined && viaduct !== undefined) {
    for (const [name, asked] of cases) {
      const differences = await differencesOf(nginx, viaduct, `${group.name}: ${name}`, asked)
      if (differences.length === 0) continue
      differing += 1
      console.log(`\n=== ${group.name}: ${name}`)
      for (const difference of differences) print(difference)
    }
  }
  await Promise.all(sides.map((side) => side.stop()))
  return differing
}

async function differencesOf(nginx: Side, viaduct: Side, name: string, asked: Case): Promise<Difference[]> {
  let found: Difference[] = []
  for (const quietMs of QUIET_MS) {
    const [left, right] = await Promise.all([nginx.run(asked, quietMs), viaduct.run(asked, quietMs)])
    found = compare(name, [nginx, left], [viaduct, right], needed)
    if (found.length === 0) return found
  }
  return found
}

/** Shows a difference line by line, without what is the same. */
function print({ aspect, nginx, viaduct }: Difference): void {
  const left = nginx.split('\n')
  const right = viaduct.split('\n')
  console.log(`  ${aspect}`)
  for (const line of left) if (!right.includes(line)) console.log(`    nginx   ${JSON.stringify(line).slice(1, -1)}`)
  for (const line of right) if (!left.includes(line)) console.log(`    viaduct ${JSON.stringify(line).slice(1, -1)}`)
  if (left.toSorted().join() === right.toSorted().join()) console.log('    the same lines in another order')
}

/** HTTP/2 can ask for it: it begins with the head of a request whose fields have names. */
function speakable({ send }: Case): boolean {
  const text = typeof send === 'string' ? send : send.join('')
  return /^[A-Z]+ \S.* HTTP\/1\.[01]\r\n(?:[!-9;-~]+:.*\r\n)*\r\n/.test(text)
}
