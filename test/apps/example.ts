/** Starts the server with a configuration of the example in front of the running applications. */
import fs from 'node:fs'
import { fileURLToPath } from 'node:url'
import { type Server, startViaduct } from '../harness/server.ts'
import { type BackEnd, EXAMPLE } from './back-ends.ts'

const MIME_TYPES = fileURLToPath(new URL('../../conf/mime.types', import.meta.url))

/** Starts with `dev.nginx` or `minimal.nginx` of the example; only addresses and the path of mime.types are replaced. */
export function startExample(name: 'dev.nginx' | 'minimal.nginx', api: BackEnd, page: BackEnd): Promise<Server> {
  const read = (file: string): string =>
    fs
      .readFileSync(`${EXAMPLE}${file}`, 'utf8')
      .replaceAll('127.0.0.1:8080', '127.0.0.1:%%PORT_0%%')
      .replaceAll('127.0.0.1:8000', `127.0.0.1:${api.port}`)
      .replaceAll('127.0.0.1:5173', `127.0.0.1:${page.port}`)
      .replaceAll('../../conf/mime.types', 'mime.types')
  return startViaduct(read(name), {
    files: { 'http.conf': read('http.conf'), 'mime.types': fs.readFileSync(MIME_TYPES) },
  })
}
