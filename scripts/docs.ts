/**
 * Writes docs/reference from the declarations of the modules.
 *
 *     npm run docs
 */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { modules } from '../src/modules/index.ts'
import { CHECKS } from '../src/tools/lint/all.ts'
import { lintPage } from './lint-page.ts'
import { writePages } from './reference-pages.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
writePages(root, modules)
fs.writeFileSync(`${root}docs/reference/lint.md`, lintPage(CHECKS, modules))
