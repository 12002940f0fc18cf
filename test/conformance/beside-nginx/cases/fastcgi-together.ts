/** What FastCGI has to do with the rest: subrequests, filters, copies, caches. */
import { ask, type Case, type Group } from '../case.ts'
import { FCGI } from './fastcgi-answers.ts'

const { closing, END, err, files, HEAD, long, OK, out, record, server, SIZED, STDOUT } = FCGI

/** What is asked about FastCGI and other modules. */
export const fastcgiTogetherGroups: readonly Group[] = [
  {
    name: 'gateways: fastcgi together',
    speech: 'fastcgi',
    files,
    http: server(`
      location /b { fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /page { ssi on; alias %%DIR%%/www/; }
      location /ssi { ssi on; ssi_types *; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /auth { auth_request /b/auth; fastcgi_pass 127.0.0.1:%%PORT_7%%; }
      location /authvar { auth_request /b/auth; auth_request_set $t $upstream_http_t; fastcgi_param T $t; fastcgi_pass 127.0.0.1:%%PORT_7%%; }
      location /mirror { mirror /b/copy; fastcgi_pass 127.0.0.1:%%PORT_7%%; }
      location /copy { mirror /b/copy; mirror_request_body off; fastcgi_pass 127.0.0.1:%%PORT_7%%; }
      location /add { add_before_body /b/before; add_after_body /b/after; addition_types *; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /gzip { gzip on; gzip_types *; gzip_min_length 0; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /sub { sub_filter ok OKAY; sub_filter_types *; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /range { fastcgi_force_ranges on; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /rate { fastcgi_limit_rate 1m; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /crate { limit_rate 1m; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /store/ { fastcgi_store %%DIR%%/kept/$uri; fastcgi_store_access user:rw; fastcgi_temp_path %%DIR%%/kept; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /kept/ { alias %%DIR%%/kept/store/; }
      location /err { error_page 404 = /b/404; error_page 500 502 504 /b/5xx; return 404; }
      location /named { error_page 404 = @fcgi; }
      location @fcgi { fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /expires { expires 1h; add_header A $upstream_http_x always; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
            location /tmp0 { fastcgi_max_temp_file_size 0; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /ims { fastcgi_pass 127.0.0.1:%%PORT_6%%; if_modified_since before; }`),
    cases: Object.fromEntries(
      [
        '/b',
        '/page/page.html',
        '/page/wait.html',
        '/page/set.html',
        '/page/stub.html',
        '/ssi',
        '/auth',
        '/authvar',
        '/mirror',
        '/copy',
        '/add',
        '/gzip',
        '/sub',
        '/range',
        '/rate',
        '/crate',
        '/err',
        '/named',
        '/expires',
        '/tmp0',
        '/ims',
      ]
        .flatMap((place) =>
          Object.entries<string>({
            plain: OK,
            sized: out(`${SIZED}ok`) + END,
            empty: out(HEAD) + END,
            'sized of 0': out('Content-Type: text/plain\r\nContent-Length: 0\r\n\r\n') + END,
            tagged:
              out(
                'ETag: "a"\r\nLast-Modified: Sat, 03 Feb 2024 04:05:06 GMT\r\nT: t\r\nX: x\r\nContent-Length: 2\r\n\r\nok',
              ) + END,
            404: out(`Status: 404 No\r\n${HEAD}none`) + END,
            401: out(`Status: 401 No\r\nWWW-Authenticate: W\r\n${HEAD}none`) + END,
            403: out(`Status: 403 No\r\n${HEAD}none`) + END,
            204: out('Status: 204 No\r\n\r\n') + END,
            304: out('Status: 304 No\r\nETag: "a"\r\n\r\n') + END,
            500: out(`Status: 500 No\r\n${HEAD}none`) + END,
            302: out('Location: /x\r\n\r\n') + END,
            stderr: err('words') + OK,
            broken: 'HTTP/1.1 200 OK\r\n\r\n',
            cut: out(`${SIZED}o`),
            large: out(HEAD) + out(long(40000)) + out(long(30000)) + END,
            include: out(`${HEAD}<!--# include virtual="/b/inner" -->`) + END,
          })
            .map(([name, send]): [string, Case] => [
              `${place} <- ${name}`,
              {
                send: ask(place, place === '/gzip' ? ['Accept-Encoding: gzip'] : []),
                answers: [closing(send), closing(name === 'include' ? OK : send)],
              },
            ])
            .concat(
              Object.entries({
                HEAD: ask(place, [], 'HEAD'),
                POST: ask(place, ['Content-Length: 3'], 'POST', 'abc'),
                'POST chunked': ask(place, ['Transfer-Encoding: chunked'], 'POST', '3\r\nabc\r\n0\r\n\r\n'),
                range: ask(place, ['Range: bytes=1-']),
                ranges: ask(place, ['Range: bytes=0-0,1-1']),
                'range beyond': ask(place, ['Range: bytes=9-']),
                'any tag': ask(place, ['If-None-Match: *']),
                'its tag': ask(place, ['If-None-Match: "a"']),
                'another tag': ask(place, ['If-Match: "b"']),
                'its date': ask(place, ['If-Modified-Since: Sat, 03 Feb 2024 04:05:06 GMT']),
                'HTTP/1.0': `GET ${place} HTTP/1.0\r\n\r\n`,
              }).map(([name, send]): [string, Case] => [
                `${place} ${name}`,
                {
                  send,
                  answers: [
                    closing(
                      out('ETag: "a"\r\nLast-Modified: Sat, 03 Feb 2024 04:05:06 GMT\r\nContent-Length: 2\r\n\r\nok') +
                        END,
                    ),
                  ],
                },
              ]),
            ),
        )
        .concat(
          Object.entries<string>({
            plain: OK,
            sized: out(`${SIZED}ok`) + END,
            'more than was promised': out(`${SIZED}okay`) + END,
            cut: out(`${SIZED}o`),
            404: out(`Status: 404 No\r\n${HEAD}none`) + END,
            dated: out('Last-Modified: Sat, 03 Feb 2024 04:05:06 GMT\r\n\r\nok') + END,
          }).map(([name, send], n): [string, Case] => [
            `store <- ${name}`,
            { send: [`GET /store/${n} HTTP/1.1\r\nHost: h\r\n\r\n`, ask(`/kept/${n}`)], answers: [closing(send)] },
          ]),
        ),
    ),
  },
  {
    name: 'gateways: fastcgi cache',
    speech: 'fastcgi',
    files,
    http: `fastcgi_cache_path %%DIR%%/cache keys_zone=c:1m; ${server(`
      fastcgi_cache_key $request_uri; fastcgi_cache_valid 200 302 1h; fastcgi_cache_valid 404 1h; fastcgi_param REQUEST_METHOD $request_method; add_header S $upstream_cache_status always;
      location /c { fastcgi_cache c; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /any { fastcgi_cache c; fastcgi_cache_valid any 1h; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /uses { fastcgi_cache c; fastcgi_cache_min_uses 2; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /bypass { fastcgi_cache c; fastcgi_cache_bypass $http_b; fastcgi_no_cache $http_n; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /stale { fastcgi_cache c; fastcgi_cache_valid 200 0; fastcgi_cache_use_stale error timeout invalid_header http_500 http_503 http_404; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /renew { fastcgi_cache c; fastcgi_cache_revalidate on; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /ignore { fastcgi_cache c; fastcgi_ignore_headers Cache-Control Expires Set-Cookie Vary X-Accel-Expires; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /methods { fastcgi_cache c; fastcgi_cache_methods POST; fastcgi_cache_key $request_uri$request_body; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /i { fastcgi_cache c; fastcgi_intercept_errors on; error_page 404 /err.html; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /nobuf { fastcgi_cache c; fastcgi_buffering off; fastcgi_pass 127.0.0.1:%%PORT_6%%; }
      location /kept { fastcgi_cache c; fastcgi_keep_conn on; fastcgi_pass kept; }
      location = /inner { return 200 inner; }`)}`,
    cases: Object.fromEntries(
      ['/c', '/any', '/uses', '/bypass', '/stale', '/renew', '/ignore', '/methods', '/i', '/nobuf', '/kept'].flatMap(
        (place) =>
          Object.entries<string>({
            plain: OK,
            sized: out(`${SIZED}ok`) + out('') + END,
            'head in two records': out('Content-Type: te') + out('xt/plain\r\n\r\nok') + END,
            'stderr before': err('words') + OK,
            'stderr between': out('A: b\r\n') + err('words') + out('\r\no') + err('more') + out('k') + END,
            padded: record(STDOUT, `${HEAD}o`, { padding: 7 }) + record(STDOUT, 'k', { padding: 1 }) + END,
            'no end': out(`${HEAD}ok`),
            'more than was promised': out(`${SIZED}okay`) + END,
            large: out(HEAD) + out(long(40000)) + out(long(30000)) + END,
            404: out(`Status: 404 No\r\n${HEAD}none`) + END,
            302: out('Location: /x\r\n\r\n') + END,
            500: out(`Status: 500 No\r\n${HEAD}none`) + END,
            204: out('Status: 204 No\r\n\r\n') + END,
            cookie: out('Set-Cookie: a=b\r\n\r\nok') + END,
            'no-cache': out('Cache-Control: no-cache\r\n\r\nok') + END,
            'max-age': out('Cache-Control: max-age=0\r\n\r\nok') + END,
            vary: out('Vary: A\r\n\r\nok') + END,
            'vary all': out('Vary: *\r\n\r\nok') + END,
            'accel expires': out('X-Accel-Expires: 100\r\nCache-Control: no-store\r\n\r\nok') + END,
            'accel expires 0': out('X-Accel-Expires: 0\r\n\r\nok') + END,
            expires: out('Expires: Thu, 01 Jan 1970 00:00:01 GMT\r\n\r\nok') + END,
            redirect: out('X-Accel-Redirect: /inner\r\n\r\n') + END,
            tagged: out('ETag: "a"\r\nLast-Modified: Sat, 03 Feb 2024 04:05:06 GMT\r\n\r\nok') + END,
            renewed:
              out('ETag: "a"\r\nCache-Control: max-age=1, stale-while-revalidate=0\r\nX-Accel-Expires: @1\r\n\r\nok') +
              END,
          }).map(([name, send], n): [string, Case] => {
            const get = (fields: string, method = 'GET'): string =>
              `${method} ${place}?${n} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`
            const parts =
              place === '/methods'
                ? [
                    get('Content-Length: 1\r\n', 'POST') + 'x',
                    get('Content-Length: 1\r\n', 'POST') + 'x',
                    get('Content-Length: 1\r\nConnection: close\r\n', 'POST') + 'y',
                  ]
                : [
                    get('A: 1\r\nRange: bytes=0-0\r\nIf-None-Match: "b"\r\n'),
                    get('A: 2\r\nB: 1\r\nIf-None-Match: "a"\r\n', place === '/c' ? 'HEAD' : 'GET'),
                    get('A: 1\r\nN: 1\r\nRange: bytes=1-1\r\nConnection: close\r\n'),
                  ]
            const after =
              place === '/stale'
                ? [{ send: out('Status: 503 No\r\n\r\n') + END, after: 'close' as const }]
                : place === '/renew'
                  ? [{ send: out('Status: 304 No\r\n\r\n') + END, after: 'close' as const }]
                  : []
            return [`${place} <- ${name}`, { send: parts, answers: [closing(send), ...after] }]
          }),
      ),
    ),
  },
]
