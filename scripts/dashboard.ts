/**
 * `npm run build:dashboard`: makes `dashboard/` one HTML file with its script and its style inside, `dist/dashboard.html`, by Vite.
 * Nothing is done when the file is newer than all it is made of. `npm ci` runs it too (`--if-tools`), so that a clone has
 * the page; where development's packages are left out, or what they need of optional ones, it says so or does nothing.
 */
import fs from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from './command.ts'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const SOURCE = `${ROOT}dashboard`
/** Its name in `dist/`. */
export const DASHBOARD = 'dashboard.html'
const FILE = `${ROOT}dist/${DASHBOARD}`
/** The notices that the licences of what is in the page ask for. */
const LIBRARIES = ['preact', 'uplot']

if (process.argv[1] !== undefined && fs.realpathSync(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await command({
    called: 'npm run build:dashboard',
    summary: 'makes the dashboard one HTML file, dist/dashboard.html',
    usage: ['[--if-tools]'],
    about: 'Does nothing when the file is newer than all it is made of.',
    options: {
      'if-tools': { type: 'boolean', help: 'do nothing where the packages are not installed that this needs' },
    },
    examples: [['', 'after a change in `dashboard/`; a server that runs has it after a reload']],
    words: [],
    run: async (wanted) => {
      if (wanted['if-tools'] !== true || (await hasTools())) await buildDashboard()
      return 0
    },
  })
}

/** Vite's bundler is a program for each system, in optional packages. */
async function hasTools(): Promise<boolean> {
  if (!fs.existsSync(`${ROOT}node_modules/vite/package.json`)) return false
  try {
    await import('vite')
    return true
  } catch (error) {
    const [reason] = String((error as Error).message).split('. ')
    console.warn(`the dashboard is not built, since Vite cannot be loaded (${reason}); all else works`)
    return false
  }
}

/** Builds the page unless it is up to date. */
export async function buildDashboard(): Promise<void> {
  if (isFresh()) return
  const { build } = await import('vite')
  const made = await build({
    root: SOURCE,
    configFile: false,
    logLevel: 'warn',
    build: { write: false, modulePreload: false },
  })
  const files = (Array.isArray(made) ? made : [made]).flatMap((one) => ('output' in one ? one.output : []))
  const textOf = (ending: string): string => {
    const found = files.filter(({ fileName }) => fileName.endsWith(ending))
    if (found.length !== 1) throw new Error(`dashboard: ${found.length} files end in ${ending}, there must be one`)
    const [file] = found
    return file!.type === 'chunk' ? file!.code : Buffer.from(file!.source).toString('utf8')
  }
  const page = onePage(textOf('.html'), textOf('.js'), textOf('.css'))
  fs.mkdirSync(path.dirname(FILE), { recursive: true })
  // A server that reads it meanwhile never sees half of it.
  fs.writeFileSync(`${FILE}.${process.pid}`, page)
  fs.renameSync(`${FILE}.${process.pid}`, FILE)
}

function isFresh(): boolean {
  const made = fs.statSync(FILE, { throwIfNoEntry: false })
  if (made === undefined) return false
  const sources = fs.readdirSync(SOURCE, { recursive: true, encoding: 'utf8' }).map((name) => `${SOURCE}/${name}`)
  return [...sources, fileURLToPath(import.meta.url), `${ROOT}package-lock.json`].every(
    (file) => fs.statSync(file).mtimeMs < made.mtimeMs,
  )
}

function onePage(html: string, script: string, style: string): string {
  const bare = html.replace(/\s*<script\b[^>]*><\/script>/g, '').replace(/\s*<link rel="stylesheet"[^>]*>/g, '')
  const notices = LIBRARIES.map((name) => fs.readFileSync(`${ROOT}node_modules/${name}/LICENSE`, 'utf8').trim())
  // What ends an element or begins a comment in HTML must not stand in a script.
  const safe = script
    .replace(/<\/(?=script)/gi, '<\\/')
    .replace(/<!--/g, '<\\!--')
    .trim()
  return bare
    .replace('</head>', () => `<style>${style.trim()}</style>\n<!--\n${notices.join('\n\n')}\n-->\n</head>`)
    .replace('</body>', () => `<script type="module">${safe}</script>\n</body>`)
}
