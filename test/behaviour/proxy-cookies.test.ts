/** What becomes of the cookies that a back end sets: rules whose pattern is empty are for all of them, as in nginx. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peer, reply } from '../harness/peer.ts'
import { startViaduct } from '../harness/server.ts'

test('an empty pattern is for every cookie', async () => {
  await using peer = await Peer.start(() =>
    reply('', ['Set-Cookie: a=1; Path=/x; Domain=app', 'Set-Cookie: b=2; Secure']),
  )
  await using server = await startViaduct(`http { server { listen 127.0.0.1:%%PORT_0%%;
    location / { proxy_pass http://127.0.0.1:${peer.port}; proxy_cookie_flags ~ secure httponly samesite=lax; }
    location /kept { proxy_pass http://127.0.0.1:${peer.port}; proxy_cookie_flags a httponly; proxy_cookie_flags ~ nosecure unheard ""; } } }`)
  const cookies = async (path: string) => (await fetch(server.url(path))).headers.getSetCookie()
  assert.deepEqual(await cookies('/'), [
    'a=1; Path=/x; Domain=app; Secure; HttpOnly; SameSite=Lax',
    'b=2; Secure; HttpOnly; SameSite=Lax',
  ])
  assert.deepEqual(await cookies('/kept'), ['a=1; Path=/x; Domain=app; HttpOnly', 'b=2'])
})
