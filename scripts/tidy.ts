/**
 * Checks the project's own rules (docs/HACKING.md): layers of imports, sizes, exports, what the data plane may not do,
 * texts, and that directives and their reference pages agree.
 */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { command } from './command.ts'
import { checkCode } from './tidy/code-rules.ts'
import { checkDeclarations } from './tidy/declaration-rules.ts'
import { checkExports } from './tidy/export-rules.ts'
import { checkImports } from './tidy/import-rules.ts'
import { checkSizes, functionsOf } from './tidy/size-rules.ts'
import { type Finding, parseTree, type TreeFile } from './tidy/source-tree.ts'
import { checkHeaders, checkTexts } from './tidy/text-rules.ts'

/** Functions that may be long, by `path#name`: one `switch` over the states of a machine, which reads best in one piece. */
const LONG_FUNCTIONS: Readonly<Record<string, string>> = {}

/** Files outside of src/net/ that use Node's networking. */
const NETWORK_USERS: Readonly<Record<string, string>> = {
  'src/lib/web-client.ts': 'the way of libraries to other servers, which want `fetch`',
}

const SHOWN = 15

/** Checks the rules that need nothing but the files. */
export function checkFiles(root: string, files: readonly TreeFile[] = parseTree(root)): Finding[] {
  return [
    ...checkImports(files, NETWORK_USERS),
    ...checkSizes(files, LONG_FUNCTIONS),
    ...checkExports(files),
    ...checkCode(files),
    ...checkHeaders(files),
    ...checkTexts(root),
  ]
}

async function main(sizes: boolean): Promise<number> {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const files = parseTree(root)
  const findings = [...checkFiles(root, files), ...(await checkDeclarations(root))]
  for (const { path: file, line, message } of findings) console.log(`${file}:${line}: ${message}`)
  if (sizes) showSizes(files)
  console.log(`${findings.length === 0 ? 'tidy' : `${findings.length} findings`}: ${files.length} files`)
  return findings.length === 0 ? 0 : 1
}

function showSizes(files: readonly TreeFile[]): void {
  const sources = files.filter((file) => file.path.startsWith('src/'))
  const lengths = sources.map((file) => file.lineCount).sort((a, b) => a - b)
  console.log(`median of src/: ${lengths[lengths.length >> 1] ?? 0} lines, ${sources.length} files`)
  const functions = sources.flatMap((file) => functionsOf(file).map((found) => ({ ...found, file: file.path })))
  for (const file of sources.toSorted((a, b) => b.lineCount - a.lineCount).slice(0, SHOWN)) {
    console.log(`${file.lineCount} ${file.path}`)
  }
  for (const { lines, file, name } of functions.toSorted((a, b) => b.lines - a.lines).slice(0, SHOWN)) {
    console.log(`${lines} ${file}#${name}`)
  }
}

if (process.argv[1] !== undefined && path.resolve(process.argv[1]) === fileURLToPath(import.meta.url)) {
  await command({
    called: 'npm run tidy',
    summary: "checks the project's own rules (docs/HACKING.md)",
    usage: ['[--sizes]'],
    about: 'Findings, one a line; the exit status is 1 when there are any.',
    options: { sizes: { type: 'boolean', help: 'the longest files and functions too' } },
    examples: [['', 'what `npm test` runs too']],
    words: [],
    run: ({ sizes = false }) => main(sizes),
  })
}
