/**
 * `npm run build`: puts `src/` together to `dist/`, for the published package. A thread that starts looks for each file that
 * it imports, which for hundreds of files takes longer than all else, so there are only a few: one for each entry, and
 * those that entries share. These lie one folder deep, as nearly all sources do, so that what the program finds relative to
 * its own files is found from either.
 */
import { spawnSync } from 'node:child_process'
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type ChunkingContext as Graph, type OutputAsset, type OutputChunk, rolldown } from 'rolldown'
import { modules } from '../src/modules/index.ts'
import { ToolFailure } from '../src/tools/frame/tool.ts'
import { libraryTypes } from '../src/tools/typed/library.ts'
import { command } from './command.ts'
import { buildDashboard, DASHBOARD } from './dashboard.ts'
import { splitForCode, storeCode } from './stored-code.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
/** Files that processes and threads are started with. */
const ENTRIES: readonly string[] = ['main', 'process/worker-thread', 'tools/typed/evaluate']
/** The folder of a package, of a file in it. */
const PACKAGE = /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+\//

/** The chunk that has nearly all. */
const SERVER = 'server'
/** What is loaded together lies together, in the order in which it is needed: each file takes a thread some time to find. */
const CHUNKS: readonly (readonly [name: string, ...files: string[]])[] = [
  ['start', 'src/cli/nginx.ts', 'src/process/worker-slot.ts', 'src/lib/quick-imports.ts'],
  ['engine', 'src/process/engine.ts'],
  [SERVER, 'src/process/worker-seat.ts', 'src/modules/index.ts', 'src/cli/serve.ts'],
]
const chunks = new Map<string, string>()

await command({
  called: 'npm run build',
  summary: 'puts the program together, for the published package',
  usage: ['[FOLDER]'],
  about: `Into \`dist\`, once the types are checked; or into another folder of the clone without that, as \`npm test\` does: it starts
hundreds of servers, which then takes half the time. Tests and measurements run what VIADUCT_BUILT=FOLDER names. What lies in the folder
is removed.`,
  options: {},
  examples: [
    ['', 'what is published'],
    ['.build', 'what VIADUCT_BUILT=.build runs'],
  ],
  run: async (_, [folder, more]) => {
    if (more !== undefined) throw new ToolFailure(`it takes one folder, not also "${more}"`)
    return folder === undefined ? await build() : await bundle(folder)
  },
})

async function build(): Promise<number> {
  const check = spawnSync(`${ROOT}node_modules/.bin/tsc`, ['--noEmit'], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (check.status !== 0) {
    console.error('build: the sources do not compile')
    return 1
  }
  return bundle('dist')
}

async function bundle(folder: string): Promise<number> {
  const out = `${ROOT}${folder}`
  fs.mkdirSync(out, { recursive: true })
  // A server that runs from the sources may read the dashboard's page, which lies there, at any time.
  for (const name of fs.readdirSync(out)) if (name !== DASHBOARD) fs.rmSync(`${out}/${name}`, { recursive: true })
  const made = await rolldown({
    input: Object.fromEntries(ENTRIES.map((name) => [name, `${ROOT}src/${name}.ts`])),
    platform: 'node',
    external: /^node:/,
    treeshake: false,
    preserveEntrySignatures: false,
  })
  const { output } = await made.write({
    dir: out,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: 'shared/[name].js',
    codeSplitting: { includeDependenciesRecursively: false, groups: [{ name: chunkOf, debugName: 'chunks' }] },
    comments: false,
    plugins: [{ name: 'quick', generateBundle: (_, files) => Object.values(files).forEach(quicken) }],
  })
  await made.close()
  const [server] = output.filter(({ fileName }) => fileName === `shared/${SERVER}.js`)
  if (server === undefined || !('code' in server)) throw new Error('build: nothing serves')
  for (const [file, text] of splitForCode({ name: SERVER, code: server.code }))
    fs.writeFileSync(`${out}/shared/${file}`, text)
  fs.writeFileSync(
    `${out}/THIRD-PARTY.txt`,
    notices(output.flatMap((one) => ('moduleIds' in one ? one.moduleIds : []))),
  )
  fs.writeFileSync(`${out}/config.d.ts`, libraryTypes(modules))
  await buildDashboard()
  await storeCode(out, SERVER)
  fs.mkdirSync(`${out}/bin`)
  fs.copyFileSync(`${ROOT}bin/published.js`, `${out}/bin/viaduct.js`)
  fs.chmodSync(`${out}/bin/viaduct.js`, 0o755)
  return 0
}

function chunkOf(file: string, graph: Graph): string | null {
  if (chunks.size === 0) {
    for (const [name, ...files] of CHUNKS) for (const one of files) fill(name, ROOT + one, graph)
  }
  return chunks.get(file) ?? null
}

/** Puts a file and what it imports into a chunk, but for what is in one before. */
function fill(name: string, file: string, graph: Graph): void {
  if (chunks.has(file)) return
  const info = graph.getModuleInfo(file)
  if (info === null) throw new Error(`build: there is no ${file}`)
  chunks.set(file, name)
  for (const one of info.importedIds) if (!one.startsWith('node:')) fill(name, one, graph)
}

/** In the last step: rolldown writes escapes as the characters that they mean. */
function quicken(file: OutputAsset | OutputChunk): void {
  if (file.type === 'chunk') file.code = ascii(quickBuiltins(file.code))
}

/** Asks Node for its own modules directly: for an import it looks at each of their names, and loads what is behind. */
function quickBuiltins(code: string): string {
  return code.replaceAll(/^import (?:(\w+),? )?(?:(\{[^}]*\}) )?from "(node:[\w/]+)";$/gm, (_, whole, names, from) => {
    const parts = [whole, (names as string | undefined)?.replaceAll(' as ', ': ')].filter((one) => one !== undefined)
    return parts.map((one) => `const ${one} = process.getBuiltinModule("${from}");`).join(' ')
  })
}

/** V8 keeps a text that has other characters in twice the room, in each thread. */
function ascii(code: string): string {
  return code.replaceAll(/[^\0-\x7f]/g, (one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The notices that the licences of what was put in ask for. */
function notices(files: readonly string[]): string {
  const folders = new Set(files.flatMap((file) => PACKAGE.exec(file)?.[0] ?? []))
  const texts = [...folders].sort().map((folder) => {
    const { name, version } = JSON.parse(fs.readFileSync(`${folder}package.json`, 'utf8')) as {
      name: string
      version: string
    }
    const license = fs.readdirSync(folder).find((file) => /^licen[cs]e/i.test(file))
    if (license === undefined) throw new Error(`build: ${name} comes without its licence`)
    return `${name} ${version}\n\n${fs.readFileSync(folder + license, 'utf8').trim()}\n`
  })
  return texts.join(`\n${'-'.repeat(72)}\n\n`)
}
