/** Entry of every process: an engine when a master started it as one, otherwise what the command line says. */
import { quickenImports } from './lib/quick-imports.ts'

/** What holds the process for longer than this does so by mistake; a busy machine may take a while to close what is closed. */
const HELD_MS = 2000

quickenImports()
process.exitCode = await run()
// Nothing is left that would hold the process, and so it ends by itself. `process.exit` would wait for the threads that
// compile, one of which may be waiting for this one to collect: https://github.com/nodejs/node/issues/54918
if (process.connected) process.disconnect()
setTimeout(() => process.exit(), HELD_MS).unref()

async function run(): Promise<number> {
  const role = process.env['VIADUCT_ROLE']
  if (role?.startsWith('engine ')) {
    // Not for what the engine starts, nor for what reads its environment.
    delete process.env['VIADUCT_ROLE']
    // A thread takes longer to start than all that its engine does before it is needed.
    const { WorkerSlot } = await import('./process/worker-slot.ts')
    const ahead = Array.from({ length: Number(role.slice('engine '.length)) }, (_, index) => new WorkerSlot(index))
    const { runEngine } = await import('./process/engine.ts')
    await runEngine(ahead)
    return 0
  }
  const words = process.argv.slice(2)
  // Words of nginx's command line begin with one dash.
  if (/^(?:--|[a-z])/.test(words[0] ?? 'serve')) {
    const { runTool } = await import('./tools/frame/run.ts')
    const status = await runTool(words)
    if (status !== undefined) return status
  }
  const { runNginx } = await import('./cli/nginx.ts')
  return runNginx(words)
}
