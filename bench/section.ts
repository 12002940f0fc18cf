/** Parts of docs/BENCHMARKS.md that programs of their own write, each between two marks, so that none undoes another's. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The page. */
export const PAGE: string = fileURLToPath(new URL('../docs/BENCHMARKS.md', import.meta.url))

const begin = (name: string): string => `<!-- ${name} -->\n`
const end = (name: string): string => `<!-- end of ${name} -->\n`

/** A section with its marks, as the page has it; empty when it has none. */
export function keptSection(name: string): string {
  const page = fs.existsSync(PAGE) ? fs.readFileSync(PAGE, 'utf8') : ''
  const [from, to] = [page.indexOf(begin(name)), page.indexOf(end(name))]
  return from < 0 || to < from ? '' : `\n${page.slice(from, to + end(name).length)}`
}

/** Puts a section in the place of the one before, or behind the page. */
export function writeSection(name: string, text: string): void {
  const page = fs.readFileSync(PAGE, 'utf8')
  const section = `${begin(name)}\n${text.trim()}\n\n${end(name)}`
  const old = keptSection(name)
  fs.writeFileSync(PAGE, old === '' ? `${page.trimEnd()}\n\n${section}` : page.replace(old, () => `\n${section}`))
}
