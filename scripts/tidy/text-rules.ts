/** What every text file keeps to, whatever is written in it: no notes to self, no paths of somebody's machine. */
import fs from 'node:fs'
import path from 'node:path'
import type { Finding, TreeFile } from './source-tree.ts'

const PLACES = ['{src,test,scripts,bench,examples,docs,conf,bin,.ci,.github}/**/*', '*.{md,json,ts}']
const TEXT = /(?:\.(?:ts|mjs|js|json|md|conf|sh|yml|yaml|html|css)|\/(?:viaduct|run))$/
/** Split, so that this file passes. */
const NOTE = new RegExp(`\\b(?:${['TO' + 'DO', 'FIX' + 'ME', 'X' + 'XX', 'HA' + 'CK'].join('|')})\\b`)
const MACHINE = new RegExp(`(?:^|[\\s"'\`(=:])(?:/${'work'}/|/opt/${'ref'}|/${'home'}/\\w|file:///)`)
/** How much of a file is looked at: longer ones are data. */
const SIZE_MAX = 1 << 20

/** Checks the text files in `root`. */
export function checkTexts(root: string): Finding[] {
  const findings: Finding[] = []
  for (const file of fs.globSync(PLACES, { cwd: root, exclude: ['**/node_modules/**', 'package-lock.json'] })) {
    const full = path.join(root, file)
    const { size } = fs.statSync(full)
    if (!TEXT.test(file) || size > SIZE_MAX || !fs.statSync(full).isFile()) continue
    fs.readFileSync(full, 'utf8')
      .split('\n')
      .forEach((text, index) => {
        const at = { path: file, line: index + 1 }
        const note = NOTE.exec(text)
        if (note !== null) findings.push({ ...at, message: `"${note[0]}": do it, or write an issue` })
        if (MACHINE.test(text)) findings.push({ ...at, message: 'a path that exists on one machine' })
      })
  }
  return findings
}

/** Checks that every source file opens with a comment on what it is for. */
export function checkHeaders(files: readonly TreeFile[]): Finding[] {
  return files
    .filter((file) => !file.path.endsWith('.d.ts') && !/^(?:#!.*\n)?\/\*\*/.test(file.text))
    .map((file) => ({ path: file.path, line: 1, message: 'a file opens with what it is for' }))
}
