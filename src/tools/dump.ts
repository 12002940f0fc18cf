/** `viaduct dump`: a configuration with everything that it includes, as `-T` prints it or as crossplane's JSON. */
import path from 'node:path'
import { Diagnostics } from '../config/diagnostics.ts'
import { formatMessage } from '../config/format.ts'
import { loadConfig } from '../config/load.ts'
import { modules } from '../modules/index.ts'
import { parsePlain } from './crossplane/parse.ts'
import { readText, textReader } from './frame/files.ts'
import { CANNOT_RUN, type Console, FINE, FOUND, ToolFailure, tool } from './frame/tool.ts'
import { TARGET_OPTIONS, targetOf } from './target.ts'

const ONLY_JSON = ['comments', 'combine', 'single-file', 'strict', 'ignore', 'indent'] as const

/** The tool. */
export const dump = tool({
  name: 'dump',
  summary: "prints a configuration with its includes, also as crossplane's JSON",
  usage: ['[-c FILE] [-p PREFIX]', '--json [FILE]'],
  about:
    "Without --json: the text of all files, as nginx -T prints it. With --json: crossplane's JSON, of a file that need not\n" +
    'be right; `viaduct build` makes files of it again.',
  options: {
    ...TARGET_OPTIONS,
    json: { type: 'boolean', help: "crossplane's JSON" },
    comments: { type: 'boolean', help: 'with --json: comments too' },
    combine: { type: 'boolean', help: 'with --json: one tree, with the included files in their places' },
    'single-file': { type: 'boolean', help: 'with --json: only the file itself' },
    strict: { type: 'boolean', help: 'with --json: an unknown directive is an error' },
    ignore: { type: 'string', value: 'A,B', help: 'with --json: leave these directives out' },
    indent: { type: 'string', value: 'N', help: 'with --json: spaces of one level' },
  },
  words: 'files',
  examples: [
    ['-c nginx.conf', 'the text of all its files'],
    ['--json --comments nginx.conf > nginx.json', 'for programs that read and change configurations'],
    ['--json --combine nginx.conf', 'one tree instead of many files'],
  ],
  async run(values, words, console) {
    if (words.length > 1) throw new ToolFailure('one file at a time')
    const given = ONLY_JSON.find((name) => values[name] !== undefined)
    if (values.json !== true && given !== undefined) throw new ToolFailure(`--${given} is for --json`)
    if (values.json !== true) return dumpText(values, words, console)
    const file = words[0] ?? values.conf ?? path.relative(console.folder, targetOf(values, words, console).path)
    const payload = parsePlain(file, console.folder, {
      comments: values.comments === true,
      combine: values.combine === true,
      single: values['single-file'] === true,
      strict: values.strict === true,
      ignore: values.ignore?.split(',') ?? [],
    })
    console.out(`${JSON.stringify(payload, undefined, Number(values.indent ?? 0))}\n`)
    // crossplane says in its JSON, too, that there is no such file.
    if (payload.errors[0]?.line === null && payload.config[0]?.parsed.length === 0) return CANNOT_RUN
    return payload.status === 'ok' ? FINE : FOUND
  },
})

type Target = Parameters<typeof targetOf>[0]

function dumpText(values: Target, words: readonly string[], console: Console): number {
  const diagnostics = new Diagnostics()
  const target = targetOf(values, words, console)
  // A file that is not there is no configuration with a mistake.
  readText(target.path)
  const { files } = loadConfig({ ...target, characters: true, modules, reader: textReader, diagnostics })
  for (const found of diagnostics.all) console.error(`viaduct dump: [${found.level}] ${formatMessage(found)}\n`)
  for (const { path: name, text } of files) console.out(`# configuration file ${name}:\n${text}\n`)
  return diagnostics.failed ? FOUND : FINE
}
