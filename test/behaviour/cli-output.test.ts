/** Output of the command line that is not taken. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import fs from 'node:fs'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { Prefix } from '../harness/server.ts'

const VIADUCT = fileURLToPath(new URL('../../bin/viaduct', import.meta.url))
/** More than fits into a pipe. */
const LONG = `pid nginx.pid; events { } http { ${'# of many words\n'.repeat(20_000)} server { listen 127.0.0.1:%%PORT_0%%; } }`

/** Runs the program with its output as given; returns its status and what it said on standard error. */
async function run(args: readonly string[], stdout: number | 'pipe'): Promise<[number | null, string]> {
  const child = spawn(VIADUCT, args, { stdio: ['ignore', stdout, 'pipe'] })
  // Whoever reads has seen enough.
  child.stdout?.destroy()
  let said = ''
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text
  })
  const [code] = await once(child, 'close')
  return [code as number | null, said]
}

for (const words of ['-T -p DIR -c nginx.conf -e error.log', 'explain proxy_pass']) {
  test(`viaduct ${words}: nobody reads, or the disk is full`, async () => {
    await using prefix = await Prefix.create(LONG, { 'logs/error.log': '' })
    const args = words.replace('DIR', prefix.dir).split(' ')
    const [status, said] = await run(args, 'pipe')
    assert.equal(status, 0, said)
    assert.doesNotMatch(said, /EPIPE|Error/)
    const full = fs.openSync('/dev/full', 'w')
    const [failed, why] = await run(args, full)
    fs.closeSync(full)
    assert.equal(failed, 1)
    assert.match(why, /viaduct: write\(\) failed \(28: No space left on device\)\n$/)
  })
}

test('viaduct -t, whose standard error nobody reads', async () => {
  await using prefix = await Prefix.create(LONG, { 'logs/error.log': '' })
  const child = spawn(VIADUCT, [...prefix.ownArgs(), '-t'], { stdio: ['ignore', 'ignore', 'pipe'] })
  child.stderr.destroy()
  assert.deepEqual(await once(child, 'close'), [0, null])
})
