/** Listings of folders in their forms, and a file chosen by chance. */
import assert from 'node:assert/strict'
import { mkdirSync, symlinkSync, utimesSync } from 'node:fs'
import { test } from 'node:test'
import { type Server, startViaduct } from '../harness/server.ts'

const CONF = `
http {
  server {
    listen 127.0.0.1:%%PORT_0%%;
    root %%DIR%%/www;
    autoindex on;
    location /short/ { alias %%DIR%%/www/; autoindex_exact_size off; }
    location /json/ { alias %%DIR%%/www/; autoindex_format json; }
    location /jsonp/ { alias %%DIR%%/www/; autoindex_format jsonp; }
    location /xml/ { alias %%DIR%%/www/; autoindex_format xml; }
    location /utf8/ { alias %%DIR%%/www/; charset utf-8; }
    location /random/ { random_index on; }
  }
}`
const LONG = 'ж'.repeat(60)
const FILES = {
  'www/a b&.txt': 'x'.repeat(20000),
  [`www/${LONG}`]: '',
  'www/.hidden': '',
  'www/random/only.txt': 'only',
}

async function start(): Promise<Server> {
  const server = await startViaduct(CONF, { files: FILES })
  const www = server.prefix.path('www')
  mkdirSync(`${www}/folder`)
  symlinkSync('nowhere', `${www}/dead`)
  for (const name of ['a b&.txt', 'folder', 'random', LONG]) utimesSync(`${www}/${name}`, 0, 0)
  return server
}

test('html', async () => {
  await using server = await start()
  const lines = (await (await fetch(server.url('/'))).text()).split('\r\n')
  assert.equal(lines[1], '<head><title>Index of /</title></head>')
  assert.equal(lines[3], '<h1>Index of /</h1><hr><pre><a href="../">../</a>')
  const blanks = (count: number) => ' '.repeat(count)
  assert.equal(lines[4], `<a href="folder/">folder/</a>${blanks(43)} 01-Jan-1970 00:00 ${blanks(18)}-`)
  assert.equal(lines[6], `<a href="a%20b%26.txt">a b&amp;.txt</a>${blanks(42)} 01-Jan-1970 00:00 ${blanks(14)}20000`)
  assert.equal(lines.filter((line) => line.includes('hidden')).length, 0)
  const short = await (await fetch(server.url('/short/'))).text()
  assert.match(short, /01-Jan-1970 00:00 {5}20K\r\n/)
  const utf8 = await (await fetch(server.url('/utf8/'))).text()
  assert.ok(utf8.includes(`>${'ж'.repeat(47)}..&gt;</a> 01-Jan-1970`))
})

test('json, jsonp and xml', async () => {
  await using server = await start()
  const list = (await (await fetch(server.url('/json/'))).json()) as Record<string, unknown>[]
  assert.deepEqual(list[0], { name: 'folder', type: 'directory', mtime: 'Thu, 01 Jan 1970 00:00:00 GMT' })
  assert.deepEqual(list[2], { name: 'a b&.txt', type: 'file', mtime: 'Thu, 01 Jan 1970 00:00:00 GMT', size: 20000 })
  assert.equal(list[3]?.['type'], 'other')
  const call = await (await fetch(server.url('/jsonp/?callback=a.b'))).text()
  assert.ok(call.startsWith('/* callback */\r\na.b([\r\n{ "name":"folder"') && call.endsWith('\r\n]);'))
  assert.equal((await fetch(server.url('/jsonp/?callback=a;b'))).status, 400)
  const xml = await fetch(server.url('/xml/'))
  assert.equal(xml.headers.get('content-type'), 'text/xml; charset=utf-8')
  assert.match(await xml.text(), /<file mtime="1970-01-01T00:00:00Z" size="20000">a b&amp;\.txt<\/file>\r\n/)
})

test('random_index takes any file', async () => {
  await using server = await start()
  assert.equal(await (await fetch(server.url('/random/'))).text(), 'only')
})
