/** Access by address and by password, `satisfy`, `limit_except`, `auth_delay`. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startViaduct } from '../harness/server.ts'

const CONF = `
http { server { listen 127.0.0.1:%%PORT_0%%; root %%DIR%%;
  location /deny { deny all; }
  location /first { allow 127.0.0.0/8; deny all; return_after on; }
  location /other { deny 10.0.0.0/8; deny unix:; }
  location /nested { deny all; location /nested/in { allow 127.0.0.1; } }
  location /auth { auth_basic "the realm"; auth_basic_user_file users; location /auth/off { auth_basic off; } }
  location /none { auth_basic x; auth_basic_user_file nobody; }
  location /any { satisfy any; deny all; auth_basic any; auth_basic_user_file users; }
  location /either { satisfy any; allow all; auth_basic any; auth_basic_user_file users; }
  location /all { allow all; auth_basic all; auth_basic_user_file users; }
  location /except { limit_except GET { deny all; } }
  location /late { auth_delay 30ms; auth_basic x; auth_basic_user_file users; }
} }`.replace('return_after on; ', '')

const USERS =
  '# comment\nplain:{PLAIN}good:comment\r\nsha:$5$saltstring$1omlJIRZF5rlJ53OgAAKqp6fl3uZnGpICUuF1LyXME/\nodd:$y$x\n'

test('access rules and passwords', async () => {
  const names = 'first other nested/in auth auth/off any either all except late'.split(' ')
  const files = Object.fromEntries(names.map((name) => [`${name}/x`, 'content']))
  await using server = await startViaduct(CONF, { files: { ...files, users: USERS } })
  const status = async (target: string, user = '', method = 'GET'): Promise<string> => {
    const headers = user === '' ? {} : { Authorization: `Basic ${Buffer.from(user).toString('base64')}` }
    const response = await fetch(server.url(target), { headers, method })
    await response.text()
    return `${response.status} ${response.headers.get('www-authenticate') ?? ''}`.trim()
  }
  assert.equal(await status('/deny'), '403')
  await server.logged(/\[error\] .*access forbidden by rule, client: 127.0.0.1/)
  assert.equal(await status('/first/x'), '200')
  assert.equal(await status('/other/x'), '200')
  assert.equal(await status('/nested/in/x'), '200')
  assert.equal(await status('/nested/x'), '403')
  assert.equal(await status('/auth/x'), '401 Basic realm="the realm"')
  assert.equal(await status('/auth/x', 'plain:good'), '200')
  assert.equal(await status('/auth/x', 'sha:good'), '200')
  assert.equal(await status('/auth/x', 'sha:good'), '200')
  assert.equal(await status('/auth/x', 'sha:bad'), '401 Basic realm="the realm"')
  assert.equal(await status('/auth/x', 'who:good'), '401 Basic realm="the realm"')
  assert.equal(await status('/auth/x', 'odd:good'), '500')
  for (const user of ['locked:!', 'locked:', 'empty:', 'empty:x']) {
    assert.equal(await status('/auth/x', user), '401 Basic realm="the realm"', user)
  }
  assert.equal(await status('/auth/off/x'), '200')
  assert.equal(await status('/none/x', 'plain:good'), '403')
  assert.equal(await status('/any/x'), '401 Basic realm="any"')
  assert.equal(await status('/any/x', 'sha:good'), '200')
  assert.equal(await status('/either/x'), '200')
  assert.equal(await status('/all/x'), '401 Basic realm="all"')
  assert.equal(await status('/except/x'), '200')
  assert.equal(await status('/except/x', '', 'POST'), '403')
  assert.equal(await status('/late/x'), '401 Basic realm="x"')
  await server.logged(/delaying unauthorized request/)
  await server.logged(/user "sha": password mismatch/)
  await server.logged(/user "who" was not found in ".*users"/)
})
