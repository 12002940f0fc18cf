/**
 * `npm run fuzz`: broken HTTP/2, HPACK and TLS against running servers, for as long as one likes.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { command, positive } from './command.ts'
import { testArguments } from './test-files.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Each has a server of its own. */
const FILES = ['test/robustness/http2-fuzz.load.ts', 'test/robustness/tls-fuzz.load.ts']

/** What the tests need besides the time that they are given. */
const REST_MS = 120_000

await command({
  called: 'npm run fuzz',
  summary: 'broken HTTP/2, HPACK and TLS against running servers',
  usage: ['[OPTION ...]'],
  about: 'Says the seed that it begins with; the exit status is 1 when a server did what it must not.',
  options: {
    minutes: { type: 'string', value: 'N', help: 'for so long; 2 unless told' },
    seed: { type: 'string', value: 'N', help: 'the same again, as far as time allows' },
  },
  examples: [
    ['--minutes 20', 'what to do before a release'],
    ['--seed 7', 'again what another run has begun with'],
  ],
  words: [],
  run: async ({ minutes, seed = String(Date.now() % 2 ** 31) }) => {
    if (!/^\d{1,10}$/.test(seed)) throw new ToolFailure(`--seed is a number, not "${seed}"`)
    return await fuzz(positive('--minutes', minutes, 2), seed)
  },
})

async function fuzz(minutes: number, seed: string): Promise<number> {
  const env = { ...process.env, FUZZ_SECONDS: String(Math.round(minutes * 60)), FUZZ_SEED: seed }
  console.log(`${minutes} minutes from seed ${seed}`)
  const runs = FILES.map((file) => {
    const args = testArguments({ files: [file], timeoutMs: REST_MS + 60_000 * minutes, concurrency: 1 })
    return once(spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env }), 'exit')
  })
  const codes = (await Promise.all(runs)).map(([code]) => code as number | null)
  return codes.every((code) => code === 0) ? 0 : 1
}
