/** Settings of `proxy_ssl_*` that cannot work, and the words in which they are refused. */
import assert from 'node:assert/strict'
import { after, test } from 'node:test'
import { Certificates } from '../harness/certificates.ts'
import { Prefix, withDefaults } from '../harness/server.ts'

const certificates = new Certificates()
after(() => certificates.remove())
const one = certificates.make('one')
const two = certificates.make('two')
const locked = certificates.encrypt(one, 'open sesame')

const NO_FILE =
  'BIO_new_file() failed (SSL: error:80000002:system library::No such file or directory:calling fopen(%%DIR%%/none, r) ' +
  'error:10000080:BIO routines::no such file)'
const NO_LINE = '(SSL: error:0480006C:PEM routines::no start line)'
const PLACE = ' in %%DIR%%/nginx.conf:1'

const REFUSED: readonly (readonly [settings: string, message: string])[] = [
  ['proxy_ssl_verify on;', 'no proxy_ssl_trusted_certificate for proxy_ssl_verify'],
  [
    'proxy_ssl_verify on; proxy_ssl_trusted_certificate none;',
    `cannot load certificate "%%DIR%%/none": ${NO_FILE}${PLACE}`,
  ],
  [
    'proxy_ssl_verify on; proxy_ssl_trusted_certificate text;',
    `cannot load certificate "%%DIR%%/text": PEM_read_bio_X509() failed ${NO_LINE}${PLACE}`,
  ],
  [
    `proxy_ssl_verify on; proxy_ssl_trusted_certificate ${one.certFile}; proxy_ssl_crl none;`,
    `cannot load CRL "%%DIR%%/none": ${NO_FILE}${PLACE}`,
  ],
  ['proxy_ssl_certificate c.crt;', 'no "proxy_ssl_certificate_key" is defined for certificate "c.crt"'],
  [
    'proxy_ssl_certificate none; proxy_ssl_certificate_key none;',
    `cannot load certificate "%%DIR%%/none": ${NO_FILE}${PLACE}`,
  ],
  [
    'proxy_ssl_certificate text; proxy_ssl_certificate_key none;',
    `cannot load certificate "%%DIR%%/text": PEM_read_bio_X509_AUX() failed ${NO_LINE}${PLACE}`,
  ],
  [
    `proxy_ssl_certificate ${one.certFile}; proxy_ssl_certificate_key none;`,
    `cannot load certificate key "%%DIR%%/none": ${NO_FILE}${PLACE}`,
  ],
  [
    `proxy_ssl_certificate ${one.certFile}; proxy_ssl_certificate_key ${two.keyFile};`,
    `SSL_CTX_use_PrivateKey("${two.keyFile}") failed (SSL: error:05800074:x509 certificate routines::key values mismatch)`,
  ],
  [
    `proxy_ssl_certificate ${one.certFile}; proxy_ssl_certificate_key ${locked};`,
    `cannot load certificate key "${locked}": PEM_read_bio_PrivateKey() failed`,
  ],
  [
    `proxy_ssl_certificate ${one.certFile}; proxy_ssl_certificate_key engine:x:y;`,
    'cannot load certificate key "engine:x:y": loading "engine:..." certificate keys is not supported',
  ],
  ['proxy_ssl_password_file none;', `open() "%%DIR%%/none" failed (2: No such file or directory)${PLACE}`],
  [
    'proxy_ssl_ciphers none;',
    'SSL_CTX_set_cipher_list("none") failed (SSL: error:0A0000B9:SSL routines::no cipher match)',
  ],
  ['proxy_ssl_protocols TLSv9;', `invalid value "TLSv9"${PLACE}`],
  ['proxy_ssl_conf_command Options none;', `SSL_CONF_cmd("Options", "none") failed${PLACE}`],
  ['proxy_ssl_conf_command Nothing x;', `SSL_CONF_cmd("Nothing", "x") failed${PLACE}`],
  ['proxy_ssl_conf_command Groups none;', `SSL_CONF_cmd("Groups", "none") failed${PLACE}`],
  [
    'proxy_ssl_certificate $arg_c; proxy_ssl_certificate_key $arg_k; proxy_ssl_conf_command VerifyMode Bogus;',
    'SSL_CONF_cmd("VerifyMode", "Bogus") failed (SSL: error:0A000180:SSL routines::bad value',
  ],
  ['proxy_ssl_certificate_cache valid=1s;', `"proxy_ssl_certificate_cache" must have the "max" parameter${PLACE}`],
  ['proxy_ssl_certificate_cache max=0;', `invalid parameter "max=0"${PLACE}`],
  ['proxy_ssl_certificate_cache much;', `invalid parameter "much"${PLACE}`],
  ['proxy_ssl_verify_depth -1;', '"proxy_ssl_verify_depth" directive invalid number'],
]

for (const [settings, message] of REFUSED) {
  test(settings.replaceAll(certificates.dir, '...'), async () => {
    const conf = `http { server { location / { proxy_pass https://127.0.0.1:1; ${settings} } } }`
    await using prefix = await Prefix.create(withDefaults(conf), { text: 'no certificate' })
    const { code, stderr } = await prefix.run(['-t'])
    assert.equal(code, 1)
    assert.ok(stderr.includes(`[emerg] ${prefix.expand(message)}`), stderr)
  })
}

test('settings do not matter without https', async () => {
  const conf = 'http { proxy_ssl_verify on; server { location / { proxy_pass http://127.0.0.1:1; } } }'
  await using prefix = await Prefix.create(withDefaults(conf))
  assert.equal((await prefix.run(['-t'])).code, 0)
})
