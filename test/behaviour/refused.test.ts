/** Faulty directives of locations and the words in which they are refused: nginx's own. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Prefix, withDefaults } from '../harness/server.ts'

const REFUSED: readonly (readonly [directive: string, message: string])[] = [
  ['return;', 'invalid number of arguments in "return" directive'],
  ['return abc;', 'invalid return code "abc"'],
  ['return 1000;', 'invalid return code "1000"'],
  ['return 200 a b;', 'invalid number of arguments in "return" directive'],
  ['return example.com;', 'invalid return code "example.com"'],
  ['rewrite a;', 'invalid number of arguments in "rewrite" directive'],
  ['rewrite a b c;', 'invalid parameter "c"'],
  ['rewrite a "";', 'empty replacement'],
  ['rewrite a b last x;', 'invalid number of arguments in "rewrite" directive'],
  ['set a b;', 'invalid variable name "a"'],
  ['set $a;', 'invalid number of arguments in "set" directive'],
  ['set $ b;', 'invalid variable name "$"'],
  ['if $a { }', 'invalid condition "$a"'],
  ['if ($uri = ) { }', 'invalid condition "$uri"'],
  ['if ($uri == a) { }', 'unexpected "==" in condition'],
  ['if (-f) { }', 'invalid condition "-f"'],
  ['if (-q a) { }', 'invalid condition "-q"'],
  ['if (!-f a b) { }', 'invalid condition "!-f"'],
  ['if ($uri a b) { }', 'unexpected "a" in condition'],
  ['if () { }', 'invalid condition ")"'],
  ['if ($uri { }', 'invalid condition "$uri"'],
  ['break x;', 'invalid number of arguments in "break" directive'],
  ['rewrite_log maybe;', 'invalid value "maybe" in "rewrite_log" directive, it must be "on" or "off"'],
  ['allow;', 'invalid number of arguments in "allow" directive'],
  ['allow 1.2.3;', 'invalid parameter "1.2.3"'],
  ['allow 1.2.3.4/33;', 'invalid parameter "1.2.3.4/33"'],
  ['deny all x;', 'invalid number of arguments in "deny" directive'],
  ['try_files a;', 'invalid number of arguments in "try_files" directive'],
  ['try_files a =1000;', 'invalid code "=1000"'],
  ['try_files a =x;', 'invalid code "=x"'],
  ['try_files a b; try_files c d;', '"try_files" directive is duplicate'],
  ['auth_basic;', 'invalid number of arguments in "auth_basic" directive'],
  ['auth_basic_user_file;', 'invalid number of arguments in "auth_basic_user_file" directive'],
  ['auth_basic a; auth_basic b;', '"auth_basic" directive is duplicate'],
  ['valid_referers;', 'invalid number of arguments in "valid_referers" directive'],
  ['valid_referers "";', 'invalid referer ""'],
  ['valid_referers ~;', 'empty regex in "~"'],
  ['set_real_ip_from 1.2.3.4/40;', 'host not found in set_real_ip_from "1.2.3.4/40"'],
  ['real_ip_header; ', 'invalid number of arguments in "real_ip_header" directive'],
  ['real_ip_recursive x;', 'invalid value "x" in "real_ip_recursive" directive, it must be "on" or "off"'],
  ['userid maybe;', 'invalid value "maybe"'],
  ['userid_expires x;', '"userid_expires" directive invalid value'],
  ['userid_mark ab;', '"userid_mark" directive value must be "off" or a single letter, digit or "="'],
  ['userid_flags x;', 'invalid value "x"'],
  ['userid_service x;', '"userid_service" directive invalid number'],
  ['userid_path;', 'invalid number of arguments in "userid_path" directive'],
  ['modern_browser foo 1.0;', 'unknown browser name "foo"'],
  ['modern_browser msie x;', 'invalid browser version "x"'],
  ['modern_browser msie 1 2;', 'invalid number of arguments in "modern_browser" directive'],
  ['empty_gif on;', 'invalid number of arguments in "empty_gif" directive'],
  ['stub_status on off;', 'invalid number of arguments in "stub_status" directive'],
  ['error_page 404;', 'invalid number of arguments in "error_page" directive'],
  ['error_page abc /x;', 'invalid value "abc"'],
  ['error_page 200 /x;', 'value "200" must be between 300 and 599'],
  ['error_page 499 /x;', 'invalid value "499"'],
  ['error_page 404 =x /y;', 'invalid value "=x"'],
  ['error_page =200 /y;', 'invalid value "=200"'],
  ['satisfy some;', 'invalid value "some"'],
  ['limit_except { }', 'invalid number of arguments in "limit_except" directive'],
  ['internal on;', 'invalid number of arguments in "internal" directive'],
  ['auth_delay x;', '"auth_delay" directive invalid value'],
  ['limit_rate 10g;', '"limit_rate" directive invalid value'],
  ['limit_rate_after x;', '"limit_rate_after" directive invalid value'],
  ['proxy_bind nowhere;', 'invalid address "nowhere"'],
  ['proxy_bind 127.0.0.1:0;', 'invalid address "127.0.0.1:0"'],
  ['proxy_limit_rate fast;', '"proxy_limit_rate" directive invalid value'],
]

/** What stands in `http`, with no server: each alone, as what is wrong there has no line of its own. */
const ALONE: readonly (readonly [text: string, message: RegExp])[] = [
  ['proxy_cache none;', /\[emerg\] zero size shared memory zone "none"\n/],
  ['types_hash_max_size 0;', /\[emerg\] could not build types_hash, you should increase types_hash_max_size: 0 in /],
  ['map_hash_bucket_size 0;', /\[emerg\] could not build map_hash, you should increase map_hash_bucket_size: 0 in /],
  [
    'variables_hash_bucket_size 65473;',
    /\[emerg\] could not build variables_hash, too large variables_hash_bucket_size: 65536 in /,
  ],
  ...['ssl', 'proxy_ssl', 'uwsgi_ssl', 'grpc_ssl'].map(
    (prefix) =>
      [
        `${prefix}_password_file none;`,
        /\[emerg\] open\(\) "[^"]*\/none" failed \(2: No such file or directory\) in [^ ]*:1\n/,
      ] as const,
  ),
]

/** What is seen when all of a block is known. */
const TOGETHER: readonly (readonly [text: string, message: string])[] = [
  ['proxy_buffers 1 8k;', 'there must be at least 2 "proxy_buffers"'],
  [
    'proxy_buffer_size 128k;',
    '"proxy_busy_buffers_size" must be less than the size of all "proxy_buffers" minus one buffer',
  ],
  [
    'fastcgi_busy_buffers_size 2k;',
    '"fastcgi_busy_buffers_size" must be equal to or greater than the maximum of the value of "fastcgi_buffer_size" and one of the "fastcgi_buffers"',
  ],
  [
    'uwsgi_temp_file_write_size 1k;',
    '"uwsgi_temp_file_write_size" must be equal to or greater than the maximum of the value of "uwsgi_buffer_size" and one of the "uwsgi_buffers"',
  ],
  [
    'scgi_max_temp_file_size 1k;',
    '"scgi_max_temp_file_size" must be equal to zero to disable temporary files usage or must be equal to or greater than the maximum of the value of "scgi_buffer_size" and one of the "scgi_buffers"',
  ],
  ['fastcgi_store on; fastcgi_cache x;', '"fastcgi_cache" directive is incompatible with "fastcgi_store"'],
]

test('every mistake is reported with its line', () => refuses(REFUSED))
test('what no server needs is refused, too', async () => {
  for (const [text, message] of ALONE) {
    await using prefix = await Prefix.create(withDefaults(`http { ${text} }`))
    const { code, stderr } = await prefix.run(['-t'])
    assert.match(stderr, message, text)
    assert.equal(code, 1, text)
  }
})
test('settings that do not go together', () => refuses(TOGETHER))

async function refuses(list: readonly (readonly [text: string, message: string])[]): Promise<void> {
  const locations = list.map(([text], i) => `location /${i} { ${text} }`)
  const conf = `http { server { listen 127.0.0.1:%%PORT_0%%;\n${locations.join('\n')} } }`
  const prefix = await Prefix.create(withDefaults(conf))
  const { code, stderr } = await prefix.run(['-t'])
  prefix.remove()
  assert.equal(code, 1)
  const reported = stderr.split('\n')
  for (const [i, [text, message]] of list.entries()) {
    const found = reported.find((line) => line.startsWith('viaduct: [emerg]') && line.endsWith(`nginx.conf:${i + 2}`))
    assert.match(String(found), /\[emerg\] .* in /, text)
    assert.equal(found?.replace(/^.*?\[emerg\] /, '').replace(/ in [^ ]*$/, ''), message, text)
  }
}
