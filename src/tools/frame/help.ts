/** The help of tools, and the overview of all of them. */
import { VERSION } from '../../lib/version.ts'
import { Paint } from './paint.ts'
import type { Tool, ToolEntry, ToolOption } from './tool.ts'

const WIDTH_MAX = 30

/** Returns what `viaduct --help` shows. */
export function overview(entries: readonly ToolEntry[], colours: boolean): string {
  const paint = new Paint(colours)
  const width = Math.max(...entries.map(({ name }) => name.length)) + 2
  return [
    `${paint.bold('viaduct')} ${VERSION}: a web server, reverse proxy and load balancer that runs nginx configurations`,
    '',
    paint.bold('Serve'),
    '  viaduct -c nginx.conf         run a configuration (all options of nginx: viaduct -h)',
    '  viaduct -t -c nginx.conf      check it and exit',
    '  viaduct -s reload             tell a running server: stop, quit, reopen, reload',
    '',
    paint.bold('Tools'),
    ...entries.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    '',
    'Each has --help with examples. Exit status: 0 fine, 1 something was found, 2 it could not run.',
    '',
  ].join('\n')
}

/** Returns what `viaduct TOOL --help` shows; `called` is how it is called when it is none of the program's. */
export function helpOf(
  { name, summary, usage, about, options, examples }: Tool,
  colours: boolean,
  called = `viaduct ${name}`,
): string {
  const paint = new Paint(colours)
  const rows = Object.entries(options).map(([long, option]) => [heading(long, option), option.help] as const)
  const width = Math.min(Math.max(...rows.map(([left]) => left.length)), WIDTH_MAX) + 2
  const row = ([left, right]: readonly [string, string]): string => `  ${left.padEnd(width)}${right}`
  const lines = [
    `${paint.bold(called)}: ${summary}`,
    '',
    ...usage.map((words, i) => `${i === 0 ? 'Usage: ' : '       '}${called} ${words}`.trimEnd()),
    '',
    about,
    '',
    ...(rows.length > 0 ? [paint.bold('Options'), ...rows.map(row), ''] : []),
    paint.bold('Examples'),
    ...examples.flatMap(([words, what]) => [`  ${`${called} ${words}`.trimEnd()}`, paint.dim(`      ${what}`)]),
    '',
  ]
  return lines.join('\n')
}

function heading(long: string, { short, type, value = 'VALUE' }: ToolOption): string {
  const left = short === undefined ? `    --${long}` : `-${short}, --${long}`
  return type === 'string' ? `${left} ${value}` : left
}
