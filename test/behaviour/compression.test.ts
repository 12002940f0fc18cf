/** Brotli and Zstandard beside gzip: which coding a response gets, and that it comes out as it went in. */
import assert from 'node:assert/strict'
import { createServer, type IncomingMessage, type RequestListener, request, type ServerResponse } from 'node:http'
import { connect } from 'node:http2'
import { test } from 'node:test'
import {
  brotliCompressSync,
  brotliDecompressSync,
  createBrotliDecompress,
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib'
import { Prefix, type Server, startViaduct } from '../harness/server.ts'

const TEXT = Array.from({ length: 9000 }, (_, i) => `line ${(i * 7919) % 4001} of the text\n`).join('')
const SMALL = TEXT.slice(0, 5000)
const CONF = `
http {
  types { text/html html; text/css css; text/plain txt; }
  gzip on;
  brotli on;
  zstd on;
  gzip_vary on;
  gzip_types text/css;
  brotli_types text/css text/plain;
  log_format ratio "$request $gzip_ratio $brotli_ratio $zstd_ratio";
  access_log %%DIR%%/access.log ratio;
  proxy_cache_path %%DIR%%/cache keys_zone=c:1m;
  server {
    listen 127.0.0.1:%%PORT_0%%;
    http2 on;
    root %%DIR%%;
    location /high/ { alias %%DIR%%/; brotli_comp_level 11; brotli_window 1k; zstd_comp_level 22; }
    location /low/ { alias %%DIR%%/; brotli_comp_level 0; brotli_window 16m; zstd_comp_level -1; }
    location /no-br/ { alias %%DIR%%/; brotli off; zstd_min_length 6k; }
    location /ssi/ { alias %%DIR%%/; ssi on; }
    location /stored/ { alias %%DIR%%/; gzip off; brotli off; zstd off; gzip_static on; brotli_static on; zstd_static on; }
    location /always/ { alias %%DIR%%/; gzip off; brotli off; zstd off; gzip_static on; brotli_static always; }
    location /cached/ { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_cache c; proxy_cache_valid 1m; add_header X-Cache $upstream_cache_status; }
    location /app/ { proxy_pass http://127.0.0.1:%%PORT_1%%; proxy_http_version 1.1; proxy_buffering off; }
  }
}`
const FILES = {
  'small.html': SMALL,
  'big.html': TEXT,
  'middle.html': TEXT.slice(0, 40_000),
  'huge.html': TEXT.repeat(5),
  'a.css': SMALL,
  'a.txt': SMALL,
  'page.html': `<!--#include virtual="/stored/all.html" -->${SMALL}`,
  'all.html': SMALL,
  'all.html.br': brotliCompressSync(SMALL),
  'all.html.zst': zstdCompressSync(SMALL),
  'all.html.gz': gzipSync(SMALL),
  'some.html': SMALL,
  'some.html.gz': gzipSync(SMALL),
  'only.html.br': brotliCompressSync(SMALL),
}

const UNPACK: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  br: brotliDecompressSync,
  zstd: zstdDecompressSync,
  gzip: gunzipSync,
  none: (bytes) => bytes,
}

interface Answer {
  readonly coding: string
  readonly fields: IncomingMessage['headers']
  readonly raw: Buffer
  readonly text: string
}

function ask(server: Server, path: string, accept: string, more: Record<string, string> = {}): Promise<Answer> {
  const { method = 'GET', ...headers } = more
  return new Promise((resolve, reject) => {
    const asked = request(server.url(path), {
      method,
      agent: false,
      headers: accept === '' ? headers : { ...headers, 'accept-encoding': accept },
    })
    asked.on('error', reject).on('response', (response) => {
      const parts: Buffer[] = []
      response.on('data', (part: Buffer) => parts.push(part)).on('error', reject)
      response.on('end', () => {
        const raw = Buffer.concat(parts)
        const coding = response.headers['content-encoding'] ?? 'none'
        const whole = response.statusCode === 200 && method === 'GET'
        resolve({ coding, fields: response.headers, raw, text: whole ? UNPACK[coding]!(raw).toString() : '' })
      })
    })
    asked.end()
  })
}

test('a response gets the coding that its client likes best', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const cases: readonly [string, string][] = [
    ['gzip, deflate, br, zstd', 'br'],
    ['gzip, zstd', 'zstd'],
    ['gzip', 'gzip'],
    ['br;q=0.8, zstd;q=0.9, gzip;q=0.7', 'zstd'],
    ['br;q=0.8, gzip', 'gzip'],
    ['br;q=0, zstd;q=0.001', 'zstd'],
    ['BR', 'br'],
    ['br;q=1.5, gzip;q=0.2', 'gzip'],
    ['abr, br2, gzipped, x-gzip', 'none'],
    ['br2, br', 'br'],
    ['', 'none'],
    ['identity', 'none'],
    ['*', 'none'],
    ['identity;q=0, *', 'br'],
    ['identity;q=0.5, *;q=0.6, br;q=0', 'zstd'],
    ['*;q=0', 'none'],
    ['br; q=0.5 , gzip ;q=0.6', 'gzip'],
  ]
  for (const path of ['/small.html', '/huge.html', '/app/text']) {
    const app = path === '/app/text' ? await backEnd(server, (_, res) => res.end(TEXT)) : undefined
    for (const [accept, expected] of cases) {
      const { coding, text, fields } = await ask(server, path, accept)
      assert.equal(coding, expected, `${path} for ${accept}`)
      assert.equal(text, path === '/small.html' ? SMALL : app === undefined ? FILES['huge.html'] : TEXT)
      assert.equal(fields['vary'], 'Accept-Encoding', accept)
      if (app === undefined) assert.match(fields['etag'] ?? '', expected === 'none' ? /^"/ : /^W\/"/)
      assert.equal(fields['accept-ranges'], expected !== 'none' || app ? undefined : 'bytes')
    }
    await app?.[Symbol.asyncDispose]()
  }
  await server.until('ratios', () =>
    /GET \/small.html HTTP\/1.1 \d+\.\d\d - -\n/.test(server.prefix.read('access.log')),
  )
  const log = server.prefix.read('access.log')
  assert.match(log, /GET \/small.html HTTP\/1.1 - \d+\.\d\d -\n/)
  assert.match(log, /GET \/huge.html HTTP\/1.1 - - \d+\.\d\d\d\n/)
})

test('each coding has its own types, lengths and levels', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const coding = async (path: string, accept = 'gzip, br, zstd') => (await ask(server, path, accept)).coding
  assert.equal(await coding('/a.css'), 'br')
  assert.equal(await coding('/a.css', 'gzip, zstd'), 'gzip')
  assert.equal(await coding('/a.txt'), 'br')
  assert.equal(await coding('/a.txt', 'gzip, zstd'), 'none')
  assert.equal(await coding('/no-br/small.html'), 'gzip')
  assert.equal(await coding('/no-br/big.html'), 'zstd')
  for (const folder of ['high', 'low']) {
    for (const accept of ['br', 'zstd']) {
      for (const name of ['small.html', 'huge.html', 'small.html'] as const) {
        const { coding, text } = await ask(server, `/${folder}/${name}`, accept)
        assert.equal(coding, accept)
        assert.equal(text, FILES[name])
      }
    }
  }
})

test('a file that is compressed hard is sent as a quick level makes it until that is done', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  for (const accept of ['br', 'zstd']) {
    const first = await ask(server, '/high/middle.html', accept)
    assert.equal(first.text, FILES['middle.html'])
    await server.until('the hard form', async () => {
      const later = await ask(server, '/high/middle.html', accept)
      assert.equal(later.text, FILES['middle.html'])
      return later.raw.length !== first.raw.length
    })
  }
})

test('HEAD has the head of GET; a range of a compressed response is the whole', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  for (const accept of ['br', 'zstd']) {
    const get = await ask(server, '/small.html', accept)
    const head = await ask(server, '/small.html', accept, { method: 'HEAD' })
    assert.equal(head.coding, accept)
    assert.equal(head.fields['content-length'], get.fields['content-length'])
    assert.equal((await ask(server, '/small.html', accept, { range: 'bytes=0-9' })).text, SMALL)
    const tag = { 'if-none-match': get.fields['etag']! }
    assert.equal((await ask(server, '/small.html', accept, tag)).raw.length, 0)
  }
})

test('subrequests are not compressed by themselves', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  for (const accept of ['br', 'zstd', 'gzip']) {
    const { coding, text } = await ask(server, '/ssi/page.html', accept)
    assert.equal(coding, accept)
    assert.equal(text, SMALL + SMALL)
  }
})

test('the stored form that the client likes best is sent', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const cases: readonly [string, string, string][] = [
    ['/stored/all.html', 'gzip, br, zstd', 'br'],
    ['/stored/all.html', 'gzip, br;q=0.5, zstd', 'zstd'],
    ['/stored/all.html', 'gzip, br;q=0.5, zstd;q=0.4', 'gzip'],
    ['/stored/all.html', 'deflate', 'none'],
    ['/stored/some.html', 'gzip;q=0.1, br, zstd', 'gzip'],
    ['/stored/some.html', 'br, zstd', 'none'],
    ['/always/all.html', 'gzip', 'gzip'],
    ['/always/all.html', '', 'br'],
    ['/always/only.html', 'gzip', 'br'],
  ]
  for (const [path, accept, expected] of cases) {
    const { coding, text, fields } = await ask(server, path, accept)
    assert.equal(coding, expected, `${path} for ${accept}`)
    assert.equal(text, SMALL)
    assert.equal(fields['content-type'], 'text/html')
    if (path.startsWith('/stored/')) assert.equal(fields['vary'], 'Accept-Encoding', `${path} for ${accept}`)
  }
  const { raw } = await ask(server, '/stored/all.html', 'br', { range: 'bytes=2-5' })
  assert.deepEqual(raw, FILES['all.html.br'].subarray(2, 6))
})

test('HTTP/2 clients are served alike', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  const session = connect(server.url('/'))
  for (const accept of ['br', 'zstd', 'gzip']) {
    for (const path of ['/small.html', '/huge.html', '/stored/all.html']) {
      const stream = session.request({ ':path': path, 'accept-encoding': accept })
      const parts: Buffer[] = []
      let coding: unknown
      stream.on('response', (fields) => {
        coding = fields['content-encoding']
      })
      for await (const part of stream) parts.push(part as Buffer)
      assert.equal(coding, accept)
      assert.equal(UNPACK[accept]!(Buffer.concat(parts)).toString(), path === '/huge.html' ? FILES['huge.html'] : SMALL)
    }
  }
  session.close()
})

async function backEnd(server: Server, answer: RequestListener) {
  const app = createServer((req, res) => {
    res.setHeader('Content-Type', 'text/html')
    answer(req, res)
  })
  await new Promise<void>((resolve) => app.listen(server.port(1), '127.0.0.1', resolve))
  return {
    async [Symbol.asyncDispose]() {
      app.closeAllConnections()
      await new Promise((resolve) => app.close(resolve))
    },
  }
}

test('what a back end sends and waits after comes through at once', async () => {
  await using server = await startViaduct(CONF)
  let out: ServerResponse | undefined
  await using _ = await backEnd(server, (_, res) => {
    res.write('first ')
    out = res
  })
  const decoders = { br: createBrotliDecompress, zstd: createZstdDecompress, gzip: createGunzip }
  for (const [accept, decoder] of Object.entries(decoders)) {
    const response = await new Promise<IncomingMessage>((resolve) =>
      request(server.url('/app/'), { agent: false, headers: { 'accept-encoding': accept } }, resolve).end(),
    )
    assert.equal(response.headers['content-encoding'], accept)
    const text = response.pipe(decoder()).setEncoding('latin1')[Symbol.asyncIterator]()
    assert.equal((await text.next()).value, 'first ')
    out!.write('second ')
    assert.equal((await text.next()).value, 'second ')
    out!.end('third')
    assert.equal((await text.next()).value, 'third')
  }
})

test('what is cached is compressed for each client', async () => {
  await using server = await startViaduct(CONF)
  let asked = 0
  await using _ = await backEnd(server, (_, res) => {
    asked++
    res.setHeader('ETag', '"one"')
    res.end(SMALL)
  })
  for (const accept of ['br', 'zstd', 'gzip', '', 'br', 'zstd', 'gzip', '']) {
    const { coding, text, fields } = await ask(server, '/cached/x', accept)
    assert.equal(coding, accept === '' ? 'none' : accept)
    assert.equal(text, SMALL)
    assert.equal(fields['etag'], accept === '' ? '"one"' : 'W/"one"')
  }
  assert.equal(asked, 1)
  assert.equal((await ask(server, '/cached/x', 'br')).fields['x-cache'], 'HIT')
})

test('who leaves in the middle harms nobody', async () => {
  await using server = await startViaduct(CONF, { files: FILES })
  let left = 0
  await using _ = await backEnd(server, (req, res) => {
    req.socket.on('close', () => left++)
    const more = () => {
      while (res.write(TEXT));
    }
    res.on('drain', more)
    more()
  })
  for (const accept of ['br', 'zstd', 'gzip', 'br', 'zstd']) {
    await new Promise<void>((resolve) => {
      const asked = request(server.url('/app/'), { agent: false, headers: { 'accept-encoding': accept } })
      asked
        .on('error', () => {})
        .on('response', (response) => {
          response.once('data', () => asked.destroy())
          response.on('error', () => {}).on('close', resolve)
        })
      asked.end()
    })
  }
  await server.until('the back end is left', () => left === 5)
  assert.equal((await ask(server, '/small.html', 'br')).text, SMALL)
})

test('what is no level and no window is refused', async () => {
  const cases: readonly [string, string][] = [
    ['brotli_comp_level 12;', 'value must be between 0 and 11'],
    ['brotli_window 3k;', '"brotli_window" directive must be 1k, 2k, 4k'],
    ['brotli_window 32m;', '"brotli_window" directive must be 1k, 2k, 4k'],
    ['brotli_window x;', '"brotli_window" directive invalid value'],
    ['zstd_comp_level 0;', 'zstd compress level must between -131072 and 22 excluding 0'],
    ['zstd_comp_level 23;', 'zstd compress level must between -131072 and 22 excluding 0'],
    ['zstd_comp_level x;', '"zstd_comp_level" directive invalid number'],
    ['brotli_static maybe;', 'invalid value "maybe"'],
    ['zstd_dict_file dict;', '"zstd_dict_file" directive is not supported yet by Viaduct'],
  ]
  for (const [line, message] of cases) {
    await using prefix = await Prefix.create(`events { } http { ${line} }`)
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1, line)
    assert.ok(stderr.includes(message), stderr)
  }
})
