/**
 * `npm run build`: puts `src/` together to `dist/`, for the published package. A thread that starts looks for each file that
 * it imports, which for hundreds of files takes longer than all else, so there are only a few: one for each entry, and
 * those that entries share. These lie one folder deep, as nearly all sources do, so that what the program finds relative to
 * its own files is found from either.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Files that processes and threads are started with. */
const ENTRIES: readonly string[] = ['main', 'process/worker-thread']

process.exitCode = await build()

async function build(): Promise<number> {
  fs.rmSync(`${ROOT}dist`, { recursive: true, force: true })
  const check = spawnSync(`${ROOT}node_modules/.bin/tsc`, ['--noEmit'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (check.status !== 0) {
    console.error('build: the sources do not compile')
    return 1
  }
  const bundle = await rolldown({
    input: Object.fromEntries(ENTRIES.map((name) => [name, `${ROOT}src/${name}.ts`])),
    platform: 'node',
    external: /^node:/,
    treeshake: false,
  })
  await bundle.write({
    dir: `${ROOT}dist`,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'shared/[name].js',
  })
  await bundle.close()
  fs.mkdirSync(`${ROOT}dist/bin`)
  fs.copyFileSync(`${ROOT}bin/published.js`, `${ROOT}dist/bin/viaduct.js`)
  fs.chmodSync(`${ROOT}dist/bin/viaduct.js`, 0o755)
  return 0
}
