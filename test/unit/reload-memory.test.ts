/** A worker that reloads keeps nothing of the trees that it served before. */
import assert from 'node:assert/strict'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { diskReader, type SourceReader, snapshotReader } from '../../src/config/include.ts'
import { finish } from '../../src/lib/steps.ts'
import { NULL_LOG } from '../../src/log/error-log.ts'
import { LogFiles } from '../../src/log/log-files.ts'
import { modules } from '../../src/modules/index.ts'
import { loadProgram } from '../../src/process/load-program.ts'
import type { Program } from '../../src/runtime/program.ts'
import { WorkerRuntime } from '../../src/runtime/worker.ts'
import type { CheckedFacts } from '../../src/tree/builder.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

const CONF = `events { } http {
  log_format one $host; access_log DIR/access.log one buffer=4k flush=1m; error_log DIR/http.log;
  open_file_cache max=10; resolver 127.0.0.1:9; resolver_timeout 100ms; limit_req_zone $uri zone=z:64k rate=1r/s; map $uri $mapped { /a b; }
  upstream app { zone app 64k; server 127.0.0.1:9; keepalive 4; check interval=60000; }
  upstream named { zone named 64k; server nobody.test:9 resolve; }
  server { listen 127.0.0.1:1; server_name first; location / { proxy_pass http://app; health_check; limit_req zone=z; } }
  server { listen 127.0.0.1:1; server_name second; error_log DIR/second.log; set $made 1;
    location / { proxy_pass http://$made; access_log DIR/other.log one buffer=1k flush=1m; if ($made) { return 200 $mapped; } } }
}`

test('25 reloads leave one tree', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-reload-'))
  try {
    fs.writeFileSync(`${dir}/nginx.conf`, CONF.replaceAll('DIR', dir))
    const files = new LogFiles()
    const origin = { path: `${dir}/nginx.conf`, prefix: `${dir}/`, globals: '', errorLog: `${dir}/error.log` }
    const load = (
      reader: SourceReader,
      facts?: CheckedFacts,
      zones = new Map<string, SharedArrayBuffer>(),
    ): Program => {
      const openLog = () => NULL_LOG
      const role = facts === undefined ? ('master' as const) : ('worker' as const)
      const setting = { role, facts, zones, files, workerId: 0, isFirst: true, openLog }
      const { program, diagnostics } = finish(loadProgram(origin, modules, reader, setting))
      assert.deepEqual(diagnostics.all, [])
      return program!
    }
    const { facts, zones: asked, config } = load(diskReader)
    const zones = new Map(asked.map(({ name, size }) => [name, new SharedArrayBuffer(size)]))
    const runtime = new WorkerRuntime({ wantSockets: undefined })
    const trees: WeakRef<object>[] = []
    const reload = (): void => {
      const program = load(snapshotReader(structuredClone(config.snapshot)), structuredClone(facts), zones)
      runtime.install(program, { log: NULL_LOG, connectionsMax: 512 })
      const { servers } = program.http!.endpoints[0]!
      const late = servers.placeByName('second')!.server
      trees.push(...[program.config.main, program.http!.builder, servers, late.base].map((part) => new WeakRef(part)))
    }
    for (let i = 0; i < 25; i++) reload()
    // What is referred to weakly lives until the event ends.
    await delay(10)
    collect()
    await delay(10)
    collect()
    assert.equal(trees.filter((part) => part.deref() !== undefined).length, 4)
    await new Promise<void>((done) => runtime.stop(true, done))
  } finally {
    fs.rmSync(dir, { recursive: true, force: true })
  }
})
