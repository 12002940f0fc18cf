/** Directives say what they are for, have defaults that they themselves understand, and stand in the reference pages. */
import fs from 'node:fs'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { ScopeEnv } from '../../src/config/scope.ts'
import { readExplanations } from '../../src/tools/explained.ts'
import { CHECKS } from '../../src/tools/lint/all.ts'
import { lintPage } from '../lint-page.ts'
import { type DocumentedModule, referencePages } from '../reference-pages.ts'
import type { Finding } from './source-tree.ts'

const LIST = 'src/modules/index.ts'

/** Checks the modules of the project in `root` and its pages in docs/reference. */
export async function checkDeclarations(root: string): Promise<Finding[]> {
  const list = pathToFileURL(path.join(root, LIST)).href
  const { modules } = (await import(list)) as { readonly modules: readonly DocumentedModule[] }
  return [...checkDirectives(modules), ...checkPages(root, modules, { 'lint.md': lintPage(CHECKS, modules) })]
}

/** Checks the declarations themselves. */
export function checkDirectives(modules: readonly DocumentedModule[]): Finding[] {
  const env = new ScopeEnv('/prefix/', '/prefix/conf/')
  const findings: Finding[] = []
  const report = (message: string): void => {
    findings.push({ path: LIST, line: 1, message })
  }
  for (const module of modules) {
    for (const [name, directive] of Object.entries(module.directives)) {
      if (!/^[A-Z`].*\.$/s.test(directive.doc)) report(`${name}: "${directive.doc}" is no sentence`)
      if (directive.in.length === 0) report(`${name} may stand nowhere`)
      try {
        env.defaultOf(name, directive)
      } catch (error) {
        report(error instanceof Error ? error.message : String(error))
      }
    }
  }
  return findings
}

/** Compares the pages in docs/reference with what the declarations say. */
export function checkPages(
  root: string,
  modules: readonly DocumentedModule[],
  more: Readonly<Record<string, string>> = {},
): Finding[] {
  const folder = 'docs/reference'
  const pages = { ...referencePages(modules, readExplanations(modules, root)), ...more }
  const there = fs.existsSync(path.join(root, folder)) ? fs.readdirSync(path.join(root, folder)) : []
  const findings: Finding[] = []
  for (const [name, text] of Object.entries(pages)) {
    const file = path.join(root, folder, name)
    const found = fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined
    if (found === text) continue
    const line = found === undefined ? 1 : firstDifference(found, text)
    findings.push({ path: `${folder}/${name}`, line, message: 'differs from the declarations: npm run docs' })
  }
  for (const name of there.filter((file) => file.endsWith('.md') && pages[file] === undefined)) {
    findings.push({ path: `${folder}/${name}`, line: 1, message: 'is not made from declarations' })
  }
  return findings
}

function firstDifference(found: string, wanted: string): number {
  const lines = wanted.split('\n')
  return found.split('\n').findIndex((line, index) => line !== lines[index]) + 1
}
