/** The entry of a worker thread. */
import { quickenImports } from '../lib/quick-imports.ts'

quickenImports()
await import('./worker-port.ts')
