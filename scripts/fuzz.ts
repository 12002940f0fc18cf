/**
 * `npm run fuzz`: broken HTTP/2, HPACK and TLS against running servers, for as long as one likes.
 *
 *     npm run fuzz                       two minutes
 *     npm run fuzz -- --minutes 20
 *     npm run fuzz -- --seed 7           the same again, as far as time allows
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { testArguments } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Each has a server of its own. */
const FILES = ['test/robustness/http2-fuzz.load.ts', 'test/robustness/tls-fuzz.load.ts']

/** What the tests need besides the time that they are given. */
const REST_MS = 120_000

const options = { minutes: { type: 'string', default: '2' }, seed: { type: 'string' } } as const
const { values } = parseArgs({ options })
const seed = values.seed ?? String(Date.now() % 2 ** 31)
const env = { ...process.env, FUZZ_SECONDS: String(Math.round(Number(values.minutes) * 60)), FUZZ_SEED: seed }
console.log(`${values.minutes} minutes from seed ${seed}`)
const runs = FILES.map((file) => {
  const args = testArguments({ files: [file], timeoutMs: REST_MS + 60_000 * Number(values.minutes), concurrency: 1 })
  return once(spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env }), 'exit')
})
const codes = (await Promise.all(runs)).map(([code]) => code as number | null)
process.exitCode = codes.every((code) => code === 0) ? 0 : 1
