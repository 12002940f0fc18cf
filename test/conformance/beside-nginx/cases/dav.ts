/** Files that clients write: each method of `dav_methods`, and what stands in their way. */
import { ask, type Case, type Group } from '../case.ts'

const files = {
  'dav/a.txt': 'first file\n',
  'dav/b.txt': 'second file\n',
  'dav/dir/one.txt': '1',
  'dav/dir/sub/two.txt': '2',
  'dav/deep/1/2/3/file.txt': 'deep\n',
  'dav/empty/.keep': '',
  'dav/index.html': 'index\n',
  'other/x.txt': 'other\n',
}

const http = `
server { listen 127.0.0.1:%%PORT_0%%; server_name h; root %%DIR%%/dav; types { text/plain txt; text/html html; }
  dav_methods PUT DELETE MKCOL COPY MOVE; etag off; add_header Last-Modified "";
  location / { }
  location /full/ { create_full_put_path on; }
  location /depth/ { min_delete_depth 3; alias %%DIR%%/dav/deep/; }
  location /access/ { create_full_put_path on; dav_access user:rw group:r all:r; alias %%DIR%%/dav/acc/; }
  location /alias/ { alias %%DIR%%/dav/dir/; }
  location /regex { location ~ ^/regex/(.*)$ { alias %%DIR%%/dav/dir/$1; } }
  location /put/ { dav_methods PUT; alias %%DIR%%/dav/; }
  location /none/ { dav_methods off; alias %%DIR%%/dav/; }
  location /small/ { client_max_body_size 4; alias %%DIR%%/dav/; }
  location /in-file/ { client_body_in_file_only on; alias %%DIR%%/dav/; }
  location /memory/ { client_body_buffer_size 1k; alias %%DIR%%/dav/; }
  location /error/ { error_page 403 404 405 409 415 412 /index.html; alias %%DIR%%/dav/; }
  location /limit/ { limit_except GET PUT { deny all; } alias %%DIR%%/dav/; }
  location /rewritten/ { rewrite ^/rewritten/(.*)$ /$1 break; }
  location /renamed/ { rewrite ^/renamed/(.*)$ /dir/$1 last; }
  location /put-204/ { error_page 405 =200 /index.html; alias %%DIR%%/dav/; }
}`

/** A method on a kept connection, with more than the target. */
function on(method: string, target: string, fields: readonly string[] = [], body = ''): string {
  const length = body === '' && method !== 'PUT' ? [] : [`Content-Length: ${body.length}`]
  const own = fields.some((field) => /^(?:content-length|transfer-encoding):/i.test(field))
  return [`${method} ${target} HTTP/1.1`, 'Host: h', ...(own ? [] : length), ...fields, '', body].join('\r\n')
}

/** A change, and what is there then. */
function then(change: string, ...looks: string[]): Case {
  return { send: [change, ...looks.map((target) => on('GET', target))] }
}

const to = (target: string): string[] => [`Destination: ${target}`]

const puts: Record<string, Case> = {
  new: then(on('PUT', '/new.txt', [], 'new'), '/new.txt'),
  again: { send: [on('PUT', '/twice.txt', [], 'one'), on('PUT', '/twice.txt', [], 'three'), on('GET', '/twice.txt')] },
  over: then(on('PUT', '/b.txt', [], 'replaced'), '/b.txt'),
  empty: then(on('PUT', '/none.txt', [], ''), '/none.txt'),
  'without length': then(on('PUT', '/nolen.txt', ['X: y']).replace('Content-Length: 0\r\n', ''), '/nolen.txt'),
  'no length at all': { send: 'PUT /nolen2.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n' },
  'HTTP/1.0': { send: 'PUT /nolen3.txt HTTP/1.0\r\n\r\n', end: true },
  chunked: then(
    on('PUT', '/chunked.txt', ['Transfer-Encoding: chunked'], '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n'),
    '/chunked.txt',
  ),
  large: then(on('PUT', '/memory/large.txt', [], 'x'.repeat(5000)), '/large.txt'),
  'large chunked': then(
    on('PUT', '/memory/lc.txt', ['Transfer-Encoding: chunked'], `1000\r\n${'y'.repeat(4096)}\r\n0\r\n\r\n`),
    '/lc.txt',
  ),
  folder: then(on('PUT', '/dir/', [], 'x'), '/dir/one.txt'),
  'over a folder': then(on('PUT', '/dir', [], 'x'), '/dir/one.txt'),
  root: { send: ask('/', ['Content-Length: 1'], 'PUT', 'x') },
  'missing folder': then(on('PUT', '/gone/new.txt', [], 'x'), '/gone/new.txt'),
  'missing folders': then(on('PUT', '/full/a/b/c.txt', [], 'x'), '/full/a/b/c.txt'),
  'a file in the way': then(on('PUT', '/full/p.txt', [], 'x'), '/full/p.txt/q.txt'),
  'below a file': {
    send: [on('PUT', '/a.txt/q.txt', [], 'x'), on('PUT', '/full/f', [], 'x'), on('PUT', '/full/f/g', [], 'y')],
  },
  'content range': { send: ask('/cr.txt', ['Content-Length: 1', 'Content-Range: bytes 0-0/1'], 'PUT', 'x') },
  'content range anything': { send: ask('/cr.txt', ['Content-Length: 1', 'Content-Range: x'], 'PUT', 'x') },
  'content range empty': { send: ask('/cr.txt', ['Content-Length: 1', 'Content-Range:'], 'PUT', 'x') },
  date: then(on('PUT', '/date.txt', ['Date: Sat, 03 Feb 2024 04:05:06 GMT'], 'x'), '/date.txt'),
  'date that is none': { send: ask('/date2.txt', ['Content-Length: 1', 'Date: yesterday'], 'PUT', 'x') },
  'too large': { send: ask('/small/x.txt', ['Content-Length: 5'], 'PUT', '12345') },
  'too large chunked': { send: ask('/small/x.txt', ['Transfer-Encoding: chunked'], 'PUT', '5\r\n12345\r\n0\r\n\r\n') },
  expect: {
    send: [on('PUT', '/expect.txt', ['Expect: 100-continue', 'Content-Length: 3']), 'abc', on('GET', '/expect.txt')],
  },
  'in a file': then(on('PUT', '/in-file/kept.txt', [], 'kept'), '/kept.txt'),
  'by alias': then(on('PUT', '/alias/al.txt', [], 'al'), '/dir/al.txt'),
  'by a regular expression': then(on('PUT', '/regex/re.txt', [], 're'), '/dir/re.txt'),
  rewritten: then(on('PUT', '/rewritten/rw.txt', [], 'rw'), '/rw.txt'),
  'rewritten elsewhere': then(on('PUT', '/renamed/rn.txt', [], 'rn'), '/dir/rn.txt'),
  'access and folders': then(on('PUT', '/access/x/y.txt', [], 'acc'), '/acc/x/y.txt'),
  'not allowed': { send: ask('/none/x.txt', ['Content-Length: 1'], 'PUT', 'x') },
  'if none match': { send: ask('/a.txt', ['Content-Length: 1', 'If-None-Match: *'], 'PUT', 'x') },
  'if match': { send: ask('/a.txt', ['Content-Length: 1', 'If-Match: "none"'], 'PUT', 'x') },
  'if unmodified': {
    send: ask('/b.txt', ['Content-Length: 1', 'If-Unmodified-Since: Sat, 03 Feb 2001 04:05:06 GMT'], 'PUT', 'x'),
  },
  'escaped name': then(on('PUT', '/sp%20ace%25.txt', [], 'sp'), '/sp%20ace%25.txt'),
  'dots in the name': then(on('PUT', '/dir/../dots.txt', [], 'dots'), '/dots.txt'),
  arguments: then(on('PUT', '/args.txt?x=y', [], 'args'), '/args.txt'),
  'long name': { send: ask(`/${'n'.repeat(300)}`, ['Content-Length: 1'], 'PUT', 'x') },
  'an error page': { send: [on('PUT', '/error/gone/x.txt', [], 'x'), on('PUT', '/error/dir/', [], 'x')] },
}

const deletes: Record<string, Case> = {
  file: {
    send: [on('PUT', '/d1.txt', [], 'x'), on('DELETE', '/d1.txt'), on('GET', '/d1.txt'), on('DELETE', '/d1.txt')],
  },
  'with a body': { send: ask('/a.txt', ['Content-Length: 1'], 'DELETE', 'x') },
  'with chunks': { send: ask('/a.txt', ['Transfer-Encoding: chunked'], 'DELETE', '1\r\nx\r\n0\r\n\r\n') },
  'with no body': { send: [on('PUT', '/d2.txt', [], 'x'), on('DELETE', '/d2.txt', ['Content-Length: 0'])] },
  'folder without slash': { send: [on('MKCOL', '/dd1/'), on('DELETE', '/dd1'), on('GET', '/dd1/')] },
  'folder with slash': { send: [on('MKCOL', '/dd2/'), on('DELETE', '/dd2/'), on('GET', '/dd2/')] },
  'folder with files': {
    send: [on('MKCOL', '/dd3/'), on('PUT', '/dd3/f.txt', [], 'x'), on('DELETE', '/dd3/'), on('GET', '/dd3/f.txt')],
  },
  'file with slash': { send: [on('DELETE', '/a.txt/'), on('GET', '/a.txt')] },
  root: { send: ask('/', [], 'DELETE') },
  missing: { send: ask('/gone', [], 'DELETE') },
  'missing with slash': { send: ask('/gone/', [], 'DELETE') },
  'missing below': { send: ask('/gone/x/y', [], 'DELETE') },
  'depth too little': { send: ask('/depth/1', [], 'DELETE') },
  'depth too little with slash': { send: ask('/depth/1/', [], 'DELETE') },
  'depth just enough': { send: ask('/depth/1/2', [], 'DELETE') },
  'depth enough and slash': { send: ask('/depth/1/2/', [], 'DELETE') },
  'depth of what is gone': { send: ask('/depth/x/y/z/', [], 'DELETE') },
  'Depth: 0': { send: [on('PUT', '/d3.txt', [], 'x'), on('DELETE', '/d3.txt', ['Depth: 0'])] },
  'Depth: 0 folder': {
    send: [on('MKCOL', '/dd4/'), on('DELETE', '/dd4/', ['Depth: 0']), on('DELETE', '/dd4/', ['Depth: infinity'])],
  },
  'Depth: 1': { send: [on('PUT', '/d4.txt', [], 'x'), on('DELETE', '/d4.txt', ['Depth: 1']), on('DELETE', '/d4.txt')] },
  'Depth: infinity': {
    send: [
      on('PUT', '/d5.txt', [], 'x'),
      on('DELETE', '/d5.txt', ['Depth: Infinity']),
      on('DELETE', '/d5.txt', ['Depth: infinity']),
    ],
  },
  'Depth: x': { send: [on('PUT', '/d6.txt', [], 'x'), on('DELETE', '/d6.txt', ['Depth: x'])] },
  'Depth: empty': { send: [on('PUT', '/d7.txt', [], 'x'), on('DELETE', '/d7.txt', ['Depth:'])] },
  'not allowed': { send: ask('/put/a.txt', [], 'DELETE') },
  limited: { send: ask('/limit/a.txt', [], 'DELETE') },
  'an error page': { send: ask('/error/gone', [], 'DELETE') },
}

const collections: Record<string, Case> = {
  new: { send: [on('MKCOL', '/m1/'), on('PUT', '/m1/x.txt', [], 'x'), on('GET', '/m1/x.txt')] },
  'without slash': { send: ask('/m2', [], 'MKCOL') },
  twice: { send: [on('MKCOL', '/m3/'), on('MKCOL', '/m3/')] },
  'over a file': { send: ask('/a.txt/', [], 'MKCOL') },
  below: { send: ask('/gone/m4/', [], 'MKCOL') },
  'below a file': { send: ask('/a.txt/m5/', [], 'MKCOL') },
  'with a body': { send: ask('/m6/', ['Content-Length: 1'], 'MKCOL', 'x') },
  'with chunks': { send: ask('/m6/', ['Transfer-Encoding: chunked'], 'MKCOL', '1\r\nx\r\n0\r\n\r\n') },
  'with no body': { send: ask('/m7/', ['Content-Length: 0'], 'MKCOL') },
  root: { send: ask('/', [], 'MKCOL') },
  alias: { send: [on('MKCOL', '/alias/m8/'), on('GET', '/dir/m8/')] },
  access: { send: [on('PUT', '/access/z.txt', [], 'z'), on('MKCOL', '/access/m9/')] },
  'not allowed': { send: ask('/put/m/', [], 'MKCOL') },
}

/** Where files are to go, and what is looked at then; `M` stands for the method, so that the two do not meet. */
const DESTINATIONS: readonly (readonly [name: string, destination: string, ...looks: string[]])[] = [
  ['file', '/M-1.txt', '/M-1.txt', '/M.txt'],
  ['with a host', 'http://h/M-2.txt', '/M-2.txt'],
  ['with https', 'https://h/M-3.txt', '/M-3.txt'],
  ['another host', 'http://other/x.txt'],
  ['host and port', 'http://h:80/x.txt'],
  ['host in other letters', 'http://H/M-4.txt'],
  ['scheme in other letters', 'HTTP://h/M-4.txt'],
  ['a longer host', 'http://hh/x.txt'],
  ['only a host', 'http://h'],
  ['no slash', 'x.txt'],
  ['empty destination', ''],
  ['destination with arguments', '/M-5.txt?a=b', '/M-5.txt'],
  ['destination with a fragment', '/M-5.txt#f', '/M-5.txt'],
  ['escaped destination', '/M%20%41.txt', '/M%20A.txt'],
  ['badly escaped destination', '/x%zz.txt'],
  ['dots', '/dir/../M-6.txt', '/M-6.txt'],
  ['outside', '/../x.txt'],
  ['outside by escapes', '/%2e%2e/x.txt'],
  ['a NUL', '/x%00.txt'],
  ['onto itself', '/M.txt', '/M.txt'],
  ['onto a file', '/M-1.txt', '/M-1.txt'],
  ['to a name with slash', '/slash/'],
  ['onto a folder', '/dir'],
  ['into a missing folder', '/gone/x.txt'],
  ['another location', '/alias/M.txt', '/dir/M.txt', '/alias/M.txt'],
]

/** Files, with other fields, from and to other places. */
function filesMoved(method: string): Record<string, Case> {
  const [source, make] = [`/${method}.txt`, on('PUT', `/${method}.txt`, [], `${method} me`)]
  const there = on('PUT', '/there.txt', [], 'there')
  const own = (text: string): string => text.replaceAll('M', method)
  const cases: Record<string, Case> = {
    'no destination': { send: [make, on(method, source)] },
    'Overwrite: F, nothing there': {
      send: [make, on(method, source, [...to(`/${method}-7.txt`), 'Overwrite: F']), on('GET', `/${method}-7.txt`)],
    },
    'with slash': { send: [make, on(method, `${source}/`, to('/x/'))] },
    missing: { send: [on(method, '/missing.txt', to('/x.txt'))] },
    'missing with slash': { send: [on(method, '/missing/', to('/x/'))] },
    'with a body': { send: [make, on(method, source, to('/x.txt'), 'body')] },
    'not allowed': { send: [ask('/put/a.txt', to('/x.txt'), method)] },
    'two destinations': { send: [make, on(method, source, [...to(`/${method}-9.txt`), ...to('/y.txt')])] },
  }
  for (const [name, destination, ...looks] of DESTINATIONS) {
    cases[name] = {
      send: [make, on(method, source, to(own(destination))), ...looks.map((look) => on('GET', own(look)))],
    }
  }
  for (const value of ['T', 'F', 't', 'f', 'x', '']) {
    const fields = [...to('/there.txt'), `Overwrite: ${value}`]
    cases[`Overwrite: ${value}`] = { send: [make, there, on(method, source, fields), on('GET', '/there.txt')] }
  }
  for (const value of ['0', '1', 'infinity', 'x']) {
    cases[`Depth: ${value}`] = { send: [make, on(method, source, [...to(`/${method}-8.txt`), `Depth: ${value}`])] }
  }
  for (const [name, from, target, look] of [
    ['from an alias', '/alias/M-s.txt', '/alias/M-t.txt', '/dir/M-t.txt'],
    ['from an alias to elsewhere', '/alias/M-u.txt', '/M-v.txt', '/dir/M-v.txt'],
    ['by a regular expression', '/regex/M-w.txt', '/regex/M-y.txt', '/dir/M-y.txt'],
  ] as const) {
    cases[name] = {
      send: [on('PUT', own(from), [], 's'), on(method, own(from), to(own(target))), on('GET', own(look))],
    }
  }
  return cases
}

/** Folders. */
function foldersMoved(method: string): Record<string, Case> {
  let count = 0
  const made = (): [string, string[]] => {
    const f = `/${method}-f${++count}`
    return [
      f,
      [
        on('MKCOL', `${f}/`),
        on('PUT', `${f}/x.txt`, [], 'x'),
        on('MKCOL', `${f}/in/`),
        on('PUT', `${f}/in/y.txt`, [], 'y'),
      ],
    ]
  }
  const cases: Record<string, Case> = {}
  for (const value of ['', '0', '1', 'infinity']) {
    const [f, make] = made()
    const fields = [...to(`${f}-to/`), ...(value === '' ? [] : [`Depth: ${value}`])]
    const looks = [on('GET', `${f}-to/in/y.txt`), on('GET', `${f}/x.txt`)]
    cases[`folder, Depth: ${value}`] = { send: [...make, on(method, `${f}/`, fields), ...looks] }
  }
  for (const overwrite of ['T', 'F']) {
    const [f, make] = made()
    const more = [on('MKCOL', `${f}-to/`), on('PUT', `${f}-to/old.txt`, [], 'o')]
    const fields = [...to(`${f}-to/`), `Overwrite: ${overwrite}`]
    const looks = [on('GET', `${f}-to/x.txt`), on('GET', `${f}-to/old.txt`)]
    cases[`folder onto a folder, Overwrite: ${overwrite}`] = {
      send: [...make, ...more, on(method, `${f}/`, fields), ...looks],
    }
  }
  const simple: readonly (readonly [name: string, from: string, ...to: string[]])[] = [
    ['folder onto a file', '/', '-4.txt/', '-4.txt'],
    ['folder to a name without slash', '/', '-5'],
    ['folder without slash', '', '-6', '-6/'],
    ['folder into itself', '/', '/'],
  ]
  for (const [name, from, ...targets] of simple) {
    const [f, make] = made()
    const file = on('PUT', `${f}-4.txt`, [], 'o')
    cases[name] = { send: [...make, file, ...targets.map((target) => on(method, f + from, to(f + target)))] }
  }
  const [f, make] = made()
  cases['folder into a missing folder'] = { send: [...make, on(method, `${f}/`, to('/gone/x/'))] }
  return cases
}

const copies: Record<string, Case> = Object.fromEntries(
  ['COPY', 'MOVE'].flatMap((method) =>
    Object.entries({ ...filesMoved(method), ...foldersMoved(method) }).map(([name, one]) => [`${method} ${name}`, one]),
  ),
)

const others: Record<string, Case> = Object.fromEntries(
  ['OPTIONS', 'PROPFIND', 'LOCK', 'PATCH', 'POST', 'HEAD', 'TRACE'].map((method): [string, Case] => [
    method,
    { send: [ask('/a.txt', [], method)] },
  ]),
)

/** Its groups. */
export const davGroups: readonly Group[] = [
  { name: 'dav: PUT', http, files, cases: puts },
  { name: 'dav: DELETE', http, files, cases: deletes },
  { name: 'dav: MKCOL', http, files, cases: collections },
  { name: 'dav: COPY and MOVE', http, files, cases: copies },
  { name: 'dav: others', http, files, cases: others },
]
