/** The page of docs/reference on the checks of `viaduct lint`, made of their declarations: its examples are tested. */
import type { Check } from '../src/tools/lint/check.ts'
import { readDocument } from '../src/tools/syntax/document.ts'
import { layOut } from '../src/tools/syntax/layout.ts'
import { BARE, type DocumentedModule, linked } from './reference-pages.ts'

const HEAD = `# Checks of \`viaduct lint\`

<!-- Made of the declarations by \`npm run docs\`. -->

\`viaduct lint FILE\` looks for what is wrong with a configuration although the server starts with it. Levels are high (somebody
can do harm, or it does not work), medium (it does not do what is written), low (it could be better) and info (worth knowing;
shown with \`--level info\`). \`# lint: allow CHECK why\`, behind a statement or in the line before it, allows it for that statement
and its block; \`# lint: allow-file CHECK\` for a file. Checks that are marked with * know a fix: \`viaduct lint --fix\`.
`

/** Returns the page. */
export function lintPage(checks: readonly Check[], modules: readonly DocumentedModule[]): string {
  const rows = checks.map(({ id, level, title }) => `| [\`${id}\`](#${id}) | ${level} | ${title} |`)
  const table = ['| Check | Level | What it finds |', '|---|---|---|', ...rows].join('\n')
  return `${HEAD}\n${table}\n\n${checks.map((check) => sectionOf(check, modules)).join('\n\n')}\n`
}

function sectionOf({ id, level, title, why, advice, bad, good }: Check, modules: readonly DocumentedModule[]): string {
  const examples = `Found here:\n\n${example(bad)}\n\nand not here:\n\n${example(good)}`
  return `## ${id}\n\n${title[0]!.toUpperCase()}${title.slice(1)} (${level}).\n\n${linked(`${why}\n\n${advice}`, modules, BARE)}\n\n${examples}`
}

function example(text: string): string {
  return `\`\`\`nginx\n${layOut(readDocument(text, 'example'), { indent: '    ' })}\`\`\``
}
