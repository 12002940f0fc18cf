/** What loading a configuration says, as the master does it, without starting anything. */
import fs from 'node:fs'
import type { Diagnostic } from '../../src/config/diagnostics.ts'
import { diskReader } from '../../src/config/include.ts'
import { modules } from '../../src/modules/index.ts'
import { loadInMaster } from '../../src/process/load-program.ts'

/** Writes the text to `nginx.conf` in a folder, loads it, and returns all that is wrong or doubtful. */
export function problemsOf(folder: string, conf: string): readonly Diagnostic[] {
  const path = `${folder}/nginx.conf`
  fs.writeFileSync(path, conf)
  const origin = { path, prefix: `${folder}/`, globals: '', errorLog: 'stderr' }
  return loadInMaster(origin, modules, diskReader).diagnostics.all
}
