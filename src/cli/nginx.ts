/** nginx's command: reads the options and does what they ask. Resolves with the exit status. */
import { type Options, parseOptions } from './options.ts'
import { watchOutput } from './output.ts'
import { start } from './start.ts'

/** Runs `viaduct OPTIONS`. */
export async function runNginx(words: readonly string[]): Promise<number> {
  const options = parseOptions(words)
  const serves = typeof options === 'object' && !options.version && !options.test && options.signal === undefined
  if (!serves) watchOutput()
  if (typeof options === 'string') {
    process.stderr.write(`viaduct: ${options}\n`)
    return 1
  }
  if (options.version) {
    const { versionText } = await import('./version.ts')
    process.stderr.write(versionText(options))
    if (!options.test) return 0
  }
  return run(options)
}

async function run(options: Options): Promise<number> {
  if (options.test) {
    const { testConfiguration } = await import('./test.ts')
    return testConfiguration(options)
  }
  if (options.signal !== undefined) {
    const { sendSignal } = await import('./signal.ts')
    return sendSignal(options, options.signal)
  }
  return start(options)
}
