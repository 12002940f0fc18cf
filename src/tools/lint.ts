/** `viaduct lint`: looks for mistakes that a server starts with. */
import fs from 'node:fs'
import path from 'node:path'
import { suggest } from '../config/suggest.ts'
import { readText, replaceText, writeText } from './frame/files.ts'
import { FINE, FOUND, ToolFailure, tool } from './frame/tool.ts'
import { CHECKS } from './lint/all.ts'
import { type Finding, LEVELS, type Level } from './lint/check.ts'
import { lint as findIn } from './lint/engine.ts'
import { applyEdits, documents, placeFix, type TextEdit } from './lint/fix.ts'
import { FORMATS } from './lint/report.ts'
import { sourcesOf } from './lint/source.ts'
import { loadModel } from './model/model.ts'
import { TARGET_OPTIONS } from './target.ts'

/** The tool. */
export const lint = tool({
  name: 'lint',
  summary: 'finds what is wrong with a configuration although the server starts',
  usage: ['[FILE|FOLDER ...]', '-', '--list'],
  about:
    'Reads a configuration with its includes, a file that others include, a folder of such, or (-) standard input, also what\n' +
    '`nginx -T` prints. `# lint: allow CHECK why` behind a statement or before it is for that statement and its block.',
  options: {
    ...TARGET_OPTIONS,
    level: { type: 'string', value: 'LEVEL', choices: LEVELS, help: 'show findings of this level and above (low)' },
    quiet: { type: 'boolean', short: 'l', multiple: true, help: 'the same as in gixy: -l low, -ll medium, -lll high' },
    only: { type: 'string', value: 'A,B', help: 'only these checks' },
    skip: { type: 'string', value: 'A,B', help: 'all but these checks' },
    fix: { type: 'boolean', help: 'mend what can be mended with certainty' },
    format: {
      type: 'string',
      short: 'f',
      value: 'FORMAT',
      choices: Object.keys(FORMATS),
      help: 'text, json (as gixy), sarif, github',
    },
    json: { type: 'boolean', help: 'the same as --format json' },
    output: { type: 'string', short: 'o', value: 'FILE', help: 'write the report there' },
    baseline: { type: 'string', value: 'FILE', help: 'leave out what is in this file' },
    'write-baseline': { type: 'string', value: 'FILE', help: 'write what is found now into this file' },
    list: { type: 'boolean', help: 'list the checks' },
  },
  words: 'files',
  examples: [
    ['/etc/nginx/nginx.conf', 'a configuration and all that it includes'],
    ['--fix nginx.conf', 'mend what is certain'],
    ['--format sarif -o lint.sarif conf/', 'for code scanning'],
    ['-', 'what another command prints: nginx -T | viaduct lint -'],
  ],
  async run(values, words, console) {
    if (values.list === true) {
      for (const { id, level, title } of CHECKS) console.out(`${id.padEnd(36)} ${level.padEnd(7)} ${title}\n`)
      return FINE
    }
    const selection = {
      only: values.only === undefined ? undefined : idsIn(values.only),
      skip: idsIn(values.skip ?? ''),
    }
    const format = FORMATS[formatNamed(values.json === true ? 'json' : (values.format ?? 'text'))]
    const lowest = LEVELS.indexOf(levelOf(values))
    const texts = new Map<string, string>()
    const findings: Finding[] = []
    const seen = new Set<string>()
    for (const source of await sourcesOf(values, words, console)) {
      // As a part of a whole it was looked at already.
      if (source.part !== undefined && texts.has(source.part)) continue
      const model = loadModel(source)
      for (const file of model.config.files) texts.set(file.path, file.text)
      for (const finding of findIn(model, selection)) {
        // Files that several configurations include are looked at once.
        const key = `${finding.check.id} ${finding.at?.file}:${finding.at?.line}:${finding.at?.column} ${finding.message}`
        if (LEVELS.indexOf(finding.level) <= lowest && !seen.has(key)) findings.push(finding)
        seen.add(key)
      }
    }
    if (values['write-baseline'] !== undefined) {
      const file = path.resolve(console.folder, values['write-baseline'])
      writeText(
        file,
        `${JSON.stringify({ fingerprints: findings.map(({ fingerprint }) => fingerprint) }, undefined, 1)}\n`,
      )
      return FINE
    }
    const known =
      values.baseline === undefined ? new Set<string>() : readBaseline(path.resolve(console.folder, values.baseline))
    const fresh = findings.filter(({ fingerprint }) => !known.has(fingerprint))
    const left = values.fix === true ? mend(fresh, texts, (name) => console.error(`${name}\n`)) : fresh
    const report = format(left, { folder: console.folder, colours: console.colours, textOf: (file) => texts.get(file) })
    if (values.output === undefined) console.out(report)
    else writeText(path.resolve(console.folder, values.output), report)
    return left.length > 0 ? FOUND : FINE
  },
})

function levelOf({ level, quiet }: { readonly level?: string | undefined; readonly quiet?: unknown }): Level {
  if (Array.isArray(quiet)) return (['low', 'medium', 'high'] as const)[Math.min(quiet.length, 3) - 1]!
  const found = LEVELS.find((one) => one === (level ?? 'low'))
  if (found === undefined) throw new ToolFailure(`there is no level "${level}"`, `levels are ${LEVELS.join(', ')}`)
  return found
}

function formatNamed(name: string): keyof typeof FORMATS {
  const found = (Object.keys(FORMATS) as (keyof typeof FORMATS)[]).find(
    (one) => one === (name === 'console' ? 'text' : name),
  )
  if (found === undefined)
    throw new ToolFailure(`there is no format "${name}"`, `formats are ${Object.keys(FORMATS).join(', ')}`)
  return found
}

function idsIn(text: string): string[] {
  const ids = text
    .split(',')
    .map((id) => id.trim())
    .filter((id) => id !== '')
  const known = CHECKS.map(({ id }) => id)
  for (const id of ids) {
    if (known.includes(id)) continue
    const near = suggest(id, known)
    throw new ToolFailure(
      `there is no check "${id}"`,
      near === undefined ? 'viaduct lint --list shows them' : `did you mean "${near}"?`,
    )
  }
  return ids
}

/** Writes the files that fixes change; returns what is left. */
function mend(findings: readonly Finding[], texts: Map<string, string>, tell: (name: string) => void): Finding[] {
  const documentOf = documents((file) => (fs.existsSync(file) ? texts.get(file) : undefined))
  const byFile = new Map<string, TextEdit[]>()
  const left: Finding[] = []
  for (const finding of findings) {
    const edits = finding.fix && placeFix(finding.fix, documentOf)
    if (edits === undefined) left.push(finding)
    else for (const edit of edits) byFile.set(edit.file, [...(byFile.get(edit.file) ?? []), edit])
  }
  for (const [file, edits] of byFile) {
    const text = applyEdits(texts.get(file)!, edits)
    replaceText(file, text)
    tell(file)
  }
  return left
}

function readBaseline(file: string): Set<string> {
  const text = readText(file)
  try {
    const { fingerprints } = JSON.parse(text) as { fingerprints?: unknown }
    if (Array.isArray(fingerprints)) return new Set(fingerprints)
  } catch {
    // It is no JSON at all.
  }
  throw new ToolFailure(`"${file}" is no baseline`, '--write-baseline makes one')
}
