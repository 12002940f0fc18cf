/** Tokens and key sets that are made up or mutated, from a fixed seed: never an exception, and never a token that nobody signed. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { CompactEncrypt, CompactSign } from 'jose'
import { type KeySet, peekToken, readKeySet, type TokenKind } from '../../src/lib/tokens.ts'
import { Dice } from '../harness/dice.ts'

const ROUNDS = 3000
const KEY = Buffer.from('0123456789abcdef0123456789abcdef')
const KINDS: readonly TokenKind[] = ['signed', 'encrypted', 'nested']
const dice = new Dice(20261129)
const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url')

function keySet(): KeySet {
  const set = readKeySet(JSON.stringify({ keys: [{ kty: 'oct', k: KEY.toString('base64url') }] }))
  assert.ok(typeof set !== 'string')
  return set
}

function mutated(text: string): string {
  let bytes: Buffer = Buffer.from(text, 'latin1')
  for (let n = 1 + dice.below(4); n > 0; n--) {
    const at = dice.below(bytes.length + 1)
    const kind = dice.below(4)
    if (kind === 0 && bytes.length > 0) bytes[at % bytes.length] = dice.below(256)
    else if (kind === 1) bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + dice.below(9))])
    else if (kind === 2)
      bytes = Buffer.concat([bytes.subarray(0, at), Buffer.from(dice.of(['.', 'A', '{', '\0'])), bytes.subarray(at)])
    else bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(0, dice.below(40))])
  }
  return bytes.latin1Slice()
}

/** What the parts of a token mean: two texts that mean the same are the same token. */
function meaning(token: string): string {
  return token
    .split('.')
    .map((part) => Buffer.from(part, 'base64url').toString('hex'))
    .join('.')
}

test('mutated tokens', async () => {
  const keys = keySet()
  const payload = Buffer.from('{"sub":"ann"}')
  const signed = await new CompactSign(payload).setProtectedHeader({ alg: 'HS256' }).sign(KEY)
  const encrypt = (bytes: Buffer): Promise<string> =>
    new CompactEncrypt(bytes).setProtectedHeader({ alg: 'dir', enc: 'A256GCM' }).encrypt(KEY)
  const originals = [signed, await encrypt(payload), await encrypt(Buffer.from(signed))]
  for (let i = 0; i < ROUNDS; i++) {
    const n = dice.below(3)
    const token = mutated(originals[n]!)
    for (const kind of KINDS) {
      peekToken(token, kind)
      const outcome = await keys.check(token, kind)
      if (typeof outcome === 'string') continue
      assert.equal(meaning(token), meaning(originals[n]!), token)
      assert.equal(outcome.claims['sub'], 'ann')
    }
  }
})

test('headers that are made up', async () => {
  const keys = keySet()
  const odd = [
    undefined,
    null,
    0,
    -1,
    true,
    [],
    {},
    '',
    'none',
    'HS256',
    'RS256',
    'dir',
    'A128KW',
    '__proto__',
    'toString',
  ]
  for (let i = 0; i < ROUNDS; i++) {
    const header = {
      alg: dice.of(odd),
      enc: dice.of(odd),
      kid: dice.of(odd),
      crit: dice.of(odd),
      zip: dice.of(odd),
      b64: dice.of(odd),
    }
    const tail = dice.of(['.e30.', '.e30.AAAA', '....', '.A.B.C.D', '.', '..'])
    for (const kind of KINDS) assert.equal(typeof (await keys.check(encode(header) + tail, kind)), 'string')
  }
})

test('key sets that are made up', () => {
  const text = JSON.stringify({
    keys: [
      { kty: 'oct', k: 'AAAA', kid: 'a' },
      { kty: 'RSA', n: 'AQAB', e: 'AQAB', use: 'sig' },
      { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA', alg: 'ES256' },
    ],
  })
  for (let i = 0; i < ROUNDS; i++) readKeySet(mutated(text))
  for (const odd of ['', '[]', '{}', 'null', '{"keys":{}}', '{"keys":[null]}', '{"keys":[{"kty":"__proto__"}]}'])
    readKeySet(odd)
})
