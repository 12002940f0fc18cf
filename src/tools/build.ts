/** `viaduct build`: files from crossplane's JSON. */
import fs from 'node:fs'
import path from 'node:path'
import { buildText } from './crossplane/build.ts'
import type { Payload, PlainStatement } from './crossplane/parse.ts'
import { readText, writeText } from './frame/files.ts'
import { FINE, ToolFailure, tool } from './frame/tool.ts'

/** The tool. */
export const build = tool({
  name: 'build',
  summary: "writes configuration files from crossplane's JSON",
  usage: ['[-d FOLDER] [-f] FILE.json', '--stdout FILE.json | -'],
  about: 'The way back from `viaduct dump --json`. Files that exist are left alone without -f.',
  options: {
    dir: { type: 'string', short: 'd', value: 'FOLDER', help: 'where relative names lead to (the current folder)' },
    force: { type: 'boolean', short: 'f', help: 'replace files that exist' },
    indent: { type: 'string', short: 'i', value: 'N', help: 'spaces of one level (4)' },
    tabs: { type: 'boolean', short: 't', help: 'tabs instead of spaces' },
    stdout: { type: 'boolean', help: 'print the files instead' },
    json: { type: 'boolean', help: 'say which files as JSON; with --stdout their texts, too' },
  },
  words: 'files',
  examples: [
    ['-d /tmp/new nginx.json', 'write the files that the JSON names'],
    ['--stdout nginx.json', 'only look at them'],
  ],
  async run(values, [file, ...more], console) {
    if (file === undefined || more.length > 0)
      throw new ToolFailure('which file?', 'viaduct build FILE.json, or - for standard input')
    const payload = read(
      file === '-' ? Buffer.from(await console.input()).toString() : readText(path.resolve(console.folder, file)),
      file,
    )
    const indent = values.tabs === true ? '\t' : ' '.repeat(Number(values.indent ?? 4))
    const folder = path.resolve(console.folder, values.dir ?? '.')
    const made = payload.config.map((one) => ({
      full: path.resolve(folder, one.file),
      text: buildText(one.parsed, indent),
    }))
    const say = (files: readonly object[]): void => console.out(`${JSON.stringify({ files }, undefined, 2)}\n`)
    if (values.stdout === true && values.json === true) {
      say(made.map(({ full, text }) => ({ file: full, text })))
      return FINE
    }
    if (values.stdout === true) {
      for (const one of made) console.out(`# ${one.full}\n${one.text}\n`)
      return FINE
    }
    const there = made.filter(({ full }) => fs.existsSync(full))
    if (there.length > 0 && values.force !== true) {
      throw new ToolFailure(`these files exist: ${there.map(({ full }) => full).join(', ')}`, '-f replaces them')
    }
    for (const one of made) {
      writeText(one.full, one.text)
      if (values.json !== true) console.error(`${one.full}\n`)
    }
    if (values.json === true) say(made.map(({ full }) => ({ file: full })))
    return FINE
  },
})

function read(json: string, name: string): Pick<Payload, 'config'> {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch (error) {
    throw new ToolFailure(`${name} is not JSON: ${error instanceof Error ? error.message : ''}`)
  }
  const config = (value as Partial<Payload> | null)?.config
  if (!Array.isArray(config) || !config.every((one) => typeof one?.file === 'string' && areStatements(one.parsed))) {
    throw new ToolFailure(`${name} is not crossplane's JSON`, '`viaduct dump --json FILE` shows what it looks like')
  }
  return { config }
}

function areStatements(value: unknown): value is PlainStatement[] {
  return (
    Array.isArray(value) &&
    value.every(({ directive, args, block, comment }: Partial<PlainStatement>) => {
      if (directive === '#') return typeof comment === 'string'
      const isRight =
        typeof directive === 'string' && Array.isArray(args) && args.every((word) => typeof word === 'string')
      return isRight && (block === undefined || areStatements(block))
    })
  )
}
