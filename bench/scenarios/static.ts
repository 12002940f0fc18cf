/** Files of three sizes with the file cache of a production configuration. */
import { FILE_CACHE, type Scenario, serverBlock } from '../scenario.ts'

const http = serverBlock(`root %%DIR%%/html; sendfile on; tcp_nopush on; ${FILE_CACHE}`)

function staticFile(label: string, size: number, expected: number): Scenario {
  return {
    name: `static-${label.replace(' ', '').toLowerCase()}`,
    title: `static file, ${label}`,
    http,
    target: '/file.bin',
    files: { 'file.bin': 'x'.repeat(size) },
    expected,
  }
}

export const staticFiles: readonly Scenario[] = [
  staticFile('1 KB', 1024, 1.3),
  staticFile('100 KB', 102_400, 1.1),
  staticFile('1 MB', 1_048_576, 0.9),
]
