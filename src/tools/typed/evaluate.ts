/** A process that runs a configuration in TypeScript and prints the nginx text that it means; started by config/typed.ts. */
import { registerHooks } from 'node:module'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import { PLACES } from '../../config/typed.ts'
import { modules } from '../../modules/index.ts'
import { render, Statement } from './builder.ts'
import { librarySource } from './library.ts'

const LIBRARY = 'viaduct:config'
const BUILDER = 'viaduct:builder'

/** The builder as a module of its own name. */
const BRIDGE = `const { entry, make } = globalThis[Symbol.for('viaduct.builder')]; export { entry, make }`

process.exitCode = await evaluate(process.argv[2] ?? '')

async function evaluate(file: string): Promise<number> {
  registerHooks({
    resolve(name, context, next) {
      if (name === 'viaduct/config') return { url: LIBRARY, format: 'module', shortCircuit: true }
      if (name === BUILDER) return { url: BUILDER, format: 'module', shortCircuit: true }
      return next(name, context)
    },
    load(url, context, next) {
      if (url === LIBRARY) return { format: 'module', source: librarySource(modules, BUILDER), shortCircuit: true }
      if (url === BUILDER) return { format: 'module', source: BRIDGE, shortCircuit: true }
      return next(url, context)
    },
  })
  try {
    // Configurations get the very functions of this process, however it was put together.
    Object.assign(globalThis, { [Symbol.for('viaduct.builder')]: await import('./builder.ts') })
    const loaded = (await import(pathToFileURL(path.resolve(file)).href)) as { readonly default?: unknown }
    const statements = [loaded.default].flat(Number.POSITIVE_INFINITY)
    if (!statements.every((one) => one instanceof Statement)) {
      throw new TypeError('its default export is to be a list of statements: export default [events(), http(...)]')
    }
    const { text, places } = render(statements)
    process.stdout.write(`${text}${PLACES}${places.join(' ')}\n`)
    return 0
  } catch (error) {
    process.stderr.write(error instanceof Error ? problemOf(error, file) : String(error))
    return 1
  }
}

/** The error, and the line of the configuration that it comes from. */
function problemOf(error: Error, file: string): string {
  const url = pathToFileURL(path.resolve(file)).href
  const line = (error.stack ?? '').split('\n').find((text) => text.includes(url) || text.includes(path.resolve(file)))
  const at = line === undefined ? '' : ` in ${file}:${/:(\d+):\d+\)?$/.exec(line)?.[1] ?? '?'}`
  return `${error.name}: ${error.message}${at}`
}
