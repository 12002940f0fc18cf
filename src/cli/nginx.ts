/** nginx's command: reads the options and does what they ask. Resolves with the exit status. */
import { type Options, parseOptions } from './options.ts'
import { watchOutput } from './output.ts'
import { start } from './start.ts'

/** Runs `viaduct OPTIONS`. */
export async function runNginx(words: readonly string[]): Promise<number> {
  const options = parseOptions(words)
  if (typeof options === 'string') {
    watchOutput()
    process.stderr.write(`viaduct: ${options}\n`)
    return 1
  }
  if (options.version) {
    watchOutput()
    const { versionText } = await import('./version.ts')
    process.stderr.write(versionText(options))
    if (!options.test) return 0
  }
  return run(options)
}

async function run(options: Options): Promise<number> {
  if (options.test) {
    watchOutput()
    const { testConfiguration } = await import('./test.ts')
    return testConfiguration(options)
  }
  if (options.signal !== undefined) {
    watchOutput()
    const { sendSignal } = await import('./signal.ts')
    return sendSignal(options, options.signal)
  }
  return start(options)
}
