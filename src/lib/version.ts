/** The versions that Viaduct tells: its own, and that of the nginx whose configurations and behaviour it follows. */
import { readFileSync } from 'node:fs'

const manifest: { version: string } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))

/** Viaduct's own version. */
export const VERSION: string = manifest.version
/** The nginx that Viaduct behaves as. */
export const NGINX_VERSION = '1.31.5'
