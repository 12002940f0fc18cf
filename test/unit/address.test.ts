/** Addresses as `listen` and others have them, with nginx's errors. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatAddress, parseAddress, parseListenAddresses } from '../../src/lib/address.ts'

function listen(text: string): string {
  const found = parseListenAddresses(text, 80)
  return 'error' in found ? found.error : found.map(formatAddress).join(' ')
}

for (const [text, wanted] of [
  ['8000', '0.0.0.0:8000'],
  ['08000', '0.0.0.0:8000'],
  ['9223372036854775807', 'invalid port'],
  // Too large for nginx's numbers: a name.
  ['9223372036854775808', '9223372036854775808:80'],
  ['8000-8002', '0.0.0.0:8000 0.0.0.0:8001 0.0.0.0:8002'],
  ['8000-8000', '0.0.0.0:8000'],
  ['*', '0.0.0.0:80'],
  ['*:8000-8001', '0.0.0.0:8000 0.0.0.0:8001'],
  ['127.0.0.1', '127.0.0.1:80'],
  ['127.0.0.1:65534-65535', '127.0.0.1:65534 127.0.0.1:65535'],
  ['[::1]', '[::1]:80'],
  ['[::1]:8000-8001', '[::1]:8000 [::1]:8001'],
  ['name:8000-8001', 'name:8000 name:8001'],
  ['8000-', '8000-:80'],
  ['-8000', '-8000:80'],
  ['unix:/a:b', 'unix:/a:b'],
  ['unix:a-b', 'unix:a-b'],
  ['8002-8000', 'invalid port range'],
  ['127.0.0.1:8002-8000', 'invalid port range'],
  ['[::1]:8002-8000', 'invalid port range'],
  ['0', 'invalid port'],
  ['0-5', 'invalid port'],
  ['8000-65536', 'invalid port'],
  ['127.0.0.1:8000-', 'invalid port'],
  ['127.0.0.1:-8000', 'invalid port'],
  ['127.0.0.1:8000-8001-8002', 'invalid port'],
  ['[::1]:8000-x', 'invalid port'],
  ['127.0.0.1:80/x', 'invalid host'],
  ['[::1]:80/x', 'invalid host'],
  ['[::1', 'invalid host'],
  ['[]:80', 'no host'],
  [':80', 'no host'],
  ['', 'no host'],
] as const) {
  test(`listen ${text}`, () => assert.equal(listen(text), wanted))
}

for (const text of ['8000-8001', '127.0.0.1:80-81', '*', '127.0.0.1/x', 'a?b:80', 'a\nb:80', 'a b']) {
  test(`${JSON.stringify(text)} is no range of addresses to connect to`, () => {
    const found = parseAddress(text, 80)
    if ('error' in found) assert.match(found.error, /^invalid (port|host)$/)
    else assert.deepEqual(found, { kind: 'tcp', host: text, port: 80, hasPort: false, family: 0 })
  })
}
