/** Passwords in the forms that password files have; the hashes were made by crypt(3) and htpasswd. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { checkPassword } from '../../src/lib/password.ts'

const LONG = 'good password long enough to be over sixty four bytes really long yes'
const STORED: readonly (readonly [string, string])[] = [
  ['good', '{PLAIN}good'],
  ['good', '{SHA}/BkxjdExKM4UNE0GZRCpgiacJBs='],
  ['good', 'sa4EQlvRoTMww'],
  ['good', '$1$abcdefgh$RFow4IV5kw9VF4CvOq7VZ1'],
  ['good', '$apr1$xxxxxxxx$dybAP87rlyO9552vYKm4q/'],
  ['good', '$5$saltstring$1omlJIRZF5rlJ53OgAAKqp6fl3uZnGpICUuF1LyXME/'],
  [
    LONG,
    '$6$rounds=2000$saltstring$Z59.cLmrrAZebe2itkez6uxqHGYddeSmp3w5beeqX1Jv0TjmjFYDR7H8SG2z/f4o8Usq7BvnysDZVV1Zai4E0/',
  ],
  ['good', '$2y$05$abcdefghijklmnopqrstuuNF5/gKGv1vSzRBclZtmf77tbZMWqiPK'],
  ['', '$6$ab$xnh5Qsr2NdbFw1PgdZie7nLON3gv.S.23iQDBqAzkdoXPtDnVSpludXkM5UWybQO3OI7hBj9wHg9Ow6sUWD60/'],
]

for (const [password, stored] of STORED) {
  test(`${stored.slice(0, 12)}...`, async () => {
    assert.equal(await checkPassword(password, stored), true)
    assert.equal(await checkPassword(password, stored), true)
    assert.equal(await checkPassword(`wrong ${password}`, stored), false)
  })
}

test('a salted SHA-1 hash carries its salt at its end', () => {
  const stored = '{SSHA}gVPFKSVobQnEn8GpYtM9nr/+TGdzYWx0'
  assert.equal(checkPassword('good', stored), true)
  assert.equal(checkPassword('nonsense', stored), false)
  assert.equal(checkPassword('good', '{SSHA}'), false)
})

test('forms that are not built are told, and what is no hash fits no password', () => {
  for (const stored of ['$y$j9T$salt$hash', '$7$x', '$gy$x']) assert.equal(checkPassword('good', stored), undefined)
  for (const stored of ['', '!', '!!', 'x', '$9$what', '$2y$99$abcdefghijklmnopqrstuu', '$2y$05$short', '$5$', '$1$']) {
    assert.notEqual(checkPassword('', stored), true, stored)
    assert.notEqual(checkPassword('good', stored), undefined, stored)
  }
})
