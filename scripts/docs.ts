/**
 * Writes docs/reference from the declarations of the modules.
 *
 *     npm run docs
 */
import { fileURLToPath } from 'node:url'
import { modules } from '../src/modules/index.ts'
import { writePages } from './reference-pages.ts'

writePages(fileURLToPath(new URL('..', import.meta.url)), modules)
