/**
 * Compiled code that a thread finds when it starts. Node's own cache has what V8 compiles when a file is loaded, which leaves out
 * each function that runs later: half of the work of a start. So the largest file of the build becomes three. `NAME.text.js` is
 * a function that makes what the file exports, `NAME-v24.1.2-x64.code` what V8 had compiled of it when a server had started and
 * answered, for one version of Node. `NAME.js` runs that function if V8 accepts the code, and else loads `NAME.plain.js`, the file as
 * it was, by way of Node's cache.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import http from 'node:http'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const HOOK = fileURLToPath(new URL('store-code.js', import.meta.url))
const START_MS = 20_000
/** What answers, and how: the functions that run for these are the ones that are stored. */
const CONF = `daemon off; master_process off; pid nginx.pid; error_log error.log; events { }
http {
  include mime.types; access_log access.log;
  map $uri $kind { default other; ~^/api/ api; }
  upstream back { server unix:SOCKET; keepalive 4; }
  server { listen unix:SOCKET; server_name one.test *.one.test; root html; gzip on; gzip_min_length 1;
    location / { try_files $uri =404; add_header X-Kind $kind; expires 1h; }
    location /fixed { return 200 "fixed\\n"; }
    location ~ \\.php$ { fastcgi_pass unix:SOCKET; }
    location /api/ { proxy_pass http://back/; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
  }
  server { listen unix:SOCKET; server_name two.test; return 301 https://two.test$request_uri; }
}
`

/** A file of the build. */
export interface Chunk {
  readonly name: string
  readonly code: string
}

/** Makes `NAME.js`, `NAME.plain.js` and `NAME.text.js` of a file; throws when it exports what may change. */
export function splitForCode({ name, code }: Chunk): Map<string, string> {
  const imports: string[] = []
  let text = code.replaceAll(/^import (?:\{(.*)\} from )?"(.*)";\n/gm, (_, names: string | undefined, from: string) => {
    imports.push(from)
    if (names === undefined) return ''
    return `const {${names.replaceAll(' as ', ': ')}} = from${imports.length - 1};\n`
  })
  const exported = /^export \{(.*)\};$/m.exec(text)
  if (exported === null) throw new Error(`build: ${name} exports nothing`)
  const pairs = exported[1]!.split(',').map((one) => {
    const [own, shown = own] = one.trim().split(' as ')
    return { own: own!, shown: shown! }
  })
  // What is exported is copied once.
  const changing = pairs.find(({ own }) => new RegExp(`^let (?:.*, )?${own.replaceAll('$', '\\$')}\\b`, 'm').test(text))
  if (changing !== undefined) throw new Error(`build: ${changing.own} is exported to another file and may change`)
  text = text.replace(exported[0], `return { ${pairs.map(({ own, shown }) => `${shown}: ${own}`).join(', ')} };`)
  const parameters = imports.map((_, index) => `from${index}`)
  text = text.replaceAll('import.meta.url', 'here')
  if (text.includes('import.meta')) throw new Error(`build: ${name} asks import.meta for more than its address`)
  return new Map([
    [
      `${name}.js`,
      stub(
        name,
        imports,
        parameters,
        pairs.map(({ shown }) => shown),
      ),
    ],
    [`${name}.plain.js`, code],
    [`${name}.text.js`, `(function (here, ${parameters.join(', ')}) { "use strict";\n${text}\n})`],
  ])
}

function stub(
  name: string,
  imports: readonly string[],
  parameters: readonly string[],
  exported: readonly string[],
): string {
  return `${imports.map((from, index) => `import * as from${index} from "${from}";`).join('\n')}
const { existsSync, readFileSync } = process.getBuiltinModule("node:fs");
const { Script, constants } = process.getBuiltinModule("node:vm");
function stored() {
  const code = new URL(\`${name}-\${process.version}-\${process.arch}.code\`, import.meta.url);
  if (!existsSync(code)) return undefined;
  const text = new URL("${name}.text.js", import.meta.url);
  const script = new Script(readFileSync(text, "latin1"), {
    filename: text.href,
    cachedData: readFileSync(code),
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  return script.cachedDataRejected ? undefined : script.runInThisContext()(import.meta.url, ${parameters.join(', ')});
}
export const { ${exported.join(', ')} } = stored() ?? (await import("./${name}.plain.js"));
`
}

/** Runs the built program in `folder` for a moment, and keeps what V8 has compiled of `NAME.text.js` by then. */
export async function storeCode(folder: string, name: string): Promise<void> {
  const file = `${folder}/shared/${name}-${process.version}-${process.arch}.code`
  const prefix = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-build-'))
  const socketPath = `${prefix}/socket`
  fs.mkdirSync(`${prefix}/html`)
  fs.writeFileSync(`${prefix}/html/page.html`, '<p>page</p>\n'.repeat(100))
  fs.writeFileSync(`${prefix}/nginx.conf`, CONF.replaceAll('SOCKET', socketPath))
  // V8 is asked for code when there is some; what it is does not matter here.
  fs.writeFileSync(file, '')
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--import', HOOK, `${folder}/main.js`, '-p', prefix, '-c', 'nginx.conf'],
    { stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, NODE_COMPILE_CACHE: '', VIADUCT_CODE: file } },
  )
  const ended = once(child, 'exit')
  try {
    const until = performance.now() + START_MS
    while (!fs.existsSync(`${prefix}/nginx.pid`) && child.exitCode === null && performance.now() < until)
      await pause(20)
    for (const place of ['/page.html', '/fixed', '/api/fixed', '/api/page.html', '/nowhere', '/page.html']) {
      await ask(socketPath, place)
    }
  } finally {
    child.kill('SIGQUIT')
    await ended
    fs.rmSync(prefix, { recursive: true })
  }
  if (fs.statSync(file).size === 0) throw new Error('build: the program did not start, or its code was not stored')
}

function ask(socketPath: string, place: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = { host: 'www.one.test', 'accept-encoding': 'gzip' }
    http
      .get({ socketPath, path: place, headers, agent: false }, (answer) => answer.resume().on('end', resolve))
      .on('error', reject)
  })
}
