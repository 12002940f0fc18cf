/** `npm run docs`: writes docs/reference from the declarations of the modules. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { modules } from '../src/modules/index.ts'
import { CHECKS } from '../src/tools/lint/all.ts'
import { command } from './command.ts'
import { lintPage } from './lint-page.ts'
import { writePages } from './reference-pages.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

await command({
  called: 'npm run docs',
  summary: 'writes docs/reference from the declarations of the modules',
  usage: [''],
  about: 'A test fails when what is there is not what this writes.',
  options: {},
  examples: [['', 'after each change of a directive, a variable or a check of `viaduct lint`']],
  words: [],
  run: () => {
    writePages(root, modules)
    fs.writeFileSync(`${root}docs/reference/lint.md`, lintPage(CHECKS, modules))
    return 0
  },
})
