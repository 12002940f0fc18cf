/** The command line: options, texts and exit statuses are nginx's. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { runViaduct } from '../harness/server.ts'

const WRONG: readonly (readonly [args: readonly string[], message: string])[] = [
  [['word'], 'invalid option: "word"'],
  [['-x'], 'invalid option: "x"'],
  [['-tz'], 'invalid option: "z"'],
  [['-p'], 'option "-p" requires directory name'],
  [['-e'], 'option "-e" requires file name'],
  [['-c'], 'option "-c" requires file name'],
  [['-g'], 'option "-g" requires parameter'],
  [['-s'], 'option "-s" requires parameter'],
  [['-s', 'restart'], 'invalid option: "-s restart"'],
  [['-srestart'], 'invalid option: "-s restart"'],
  [['-l', '127.0.0.1:1'], 'option "-l" (control API) is not supported yet by Viaduct'],
]

for (const [args, message] of WRONG) {
  test(`viaduct ${args.join(' ')}`, async () => {
    const { code, stdout, stderr } = await runViaduct(args)
    assert.equal(code, 1)
    assert.equal(stdout, '')
    assert.equal(stderr, `viaduct: ${message}\n`)
  })
}

test('-v names the nginx version that it stands for', async () => {
  const { code, stderr } = await runViaduct(['-v'])
  assert.equal(code, 0)
  assert.match(stderr, /^nginx version: nginx\/1\.31\.5\nviaduct version: viaduct\/\d+\.\d+\.\d+\n$/)
})

test('-V adds what other programs look for', async () => {
  const { code, stderr } = await runViaduct(['-V'])
  assert.equal(code, 0)
  assert.match(stderr, /^nginx version: nginx\/1\.31\.5\n/)
  assert.match(stderr, /\nbuilt with OpenSSL \d/)
  assert.match(stderr, /\nTLS SNI support enabled\n/)
  assert.match(stderr, /\nconfigure arguments: --with-/)
})

for (const option of ['-h', '-?']) {
  test(`${option} lists the options`, async () => {
    const { code, stderr } = await runViaduct([option])
    assert.equal(code, 0)
    assert.match(stderr, /^nginx version: /)
    for (const letter of ['-t', '-T', '-q', '-s signal', '-p prefix', '-e filename', '-c filename', '-g directives']) {
      assert.ok(stderr.includes(`  ${letter} `), letter)
    }
  })
}
