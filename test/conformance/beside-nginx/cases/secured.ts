/** Back ends behind TLS: what `proxy_ssl_*`, `uwsgi_ssl_*` and `grpc_ssl_*` make of them, with the same settings for each. */
import {
  DATA,
  END_STREAM,
  frameHead,
  headersFrames,
  rstStream,
  SETTINGS_ACK,
  settingsFrame,
} from '../../../../src/http/h2/wire/frames.ts'
import { encodeField } from '../../../../src/http/h2/wire/hpack-encoder.ts'
import { type Answer, ask, type Case, type Group } from '../case.ts'
import { HERE } from '../gateways.ts'

const KINDS = { 1: 'plain', 2: 'far', 3: 'expired', 4: 'lone', 5: 'revoked', 6: 'good', 7: 'wanting' } as const
const OTHER_KINDS = { 1: 'old', 2: 'new', 3: 'asking', 4: 'chacha', 6: 'good', 7: 'wanting' } as const
const TRUST = 'X_ssl_verify on; X_ssl_trusted_certificate %%CERTS%%/root.crt;'
const TRUST_BOTH = 'X_ssl_verify on; X_ssl_trusted_certificate %%CERTS%%/both.crt;'
const SHOWN = 'X_ssl_certificate %%CERTS%%/client.crt; X_ssl_certificate_key %%CERTS%%/client.key;'
const CHOSEN = 'X_ssl_certificate %%CERTS%%/$arg_c.crt; X_ssl_certificate_key %%CERTS%%/$arg_k.key;'

/** Where to, and with which settings; `X` stands for the family. */
type Settings = Readonly<Record<string, readonly [port: number, settings: string]>>

const VERIFIED: Settings = {
  default: [6, ''],
  told: [6, 'X_ssl_server_name on;'],
  named: [6, 'X_ssl_server_name on; X_ssl_name good.example;'],
  'named-silent': [6, 'X_ssl_name good.example;'],
  'named-port': [6, 'X_ssl_server_name on; X_ssl_name good.example:443;'],
  'named-ip': [6, 'X_ssl_server_name on; X_ssl_name 127.0.0.1;'],
  'named-ip6': [6, 'X_ssl_server_name on; X_ssl_name [::1]:443;'],
  'named-bare-ip6': [6, 'X_ssl_server_name on; X_ssl_name ::1;'],
  'named-empty': [6, 'X_ssl_server_name on; X_ssl_name "";'],
  'named-host': [6, 'X_ssl_server_name on; X_ssl_name $host;'],
  'named-arg': [6, 'X_ssl_server_name on; X_ssl_name $arg_n;'],
  verified: [6, `${TRUST} X_ssl_name good.example;`],
  'verified-port': [6, `${TRUST} X_ssl_name good.example:443;`],
  'verified-arg': [6, `${TRUST} X_ssl_name $arg_n;`],
  'verified-told': [6, `${TRUST} X_ssl_name $arg_n; X_ssl_server_name on;`],
  'verified-default': [6, TRUST],
  'common-name': [1, `${TRUST} X_ssl_name $arg_n;`],
  'expired-trusted': [3, `${TRUST} X_ssl_name expired.example;`],
  'expired-not-verified': [3, ''],
  'lone-not-trusted': [4, `${TRUST} X_ssl_name lone.example;`],
  'lone-trusted': [
    4,
    'X_ssl_verify on; X_ssl_trusted_certificate %%CERTS%%/lone.example.crt; X_ssl_name lone.example;',
  ],
  'trusts-another': [
    6,
    'X_ssl_verify on; X_ssl_trusted_certificate %%CERTS%%/lone.example.crt; X_ssl_name good.example;',
  ],
  'trusts-leaf': [6, 'X_ssl_verify on; X_ssl_trusted_certificate %%CERTS%%/good.example.crt; X_ssl_name good.example;'],
  'depth-0': [6, `${TRUST} X_ssl_name good.example; X_ssl_verify_depth 0;`],
  'far-default': [2, `${TRUST} X_ssl_name far.example;`],
  'far-0': [2, `${TRUST} X_ssl_name far.example; X_ssl_verify_depth 0;`],
  'far-1': [2, `${TRUST} X_ssl_name far.example; X_ssl_verify_depth 1;`],
  'far-2': [2, `${TRUST} X_ssl_name far.example; X_ssl_verify_depth 2;`],
  'far-both': [2, `${TRUST_BOTH} X_ssl_name far.example;`],
  'far-middle': [2, 'X_ssl_verify on; X_ssl_trusted_certificate %%CERTS%%/middle.crt; X_ssl_name far.example;'],
  revoked: [5, `${TRUST} X_ssl_name revoked.example;`],
  'revoked-listed': [5, `${TRUST} X_ssl_name revoked.example; X_ssl_crl %%CERTS%%/revoked.crl;`],
  'good-listed': [6, `${TRUST} X_ssl_name good.example; X_ssl_crl %%CERTS%%/revoked.crl;`],
  'far-listed': [2, `${TRUST} X_ssl_name far.example; X_ssl_crl %%CERTS%%/revoked.crl;`],
  'listed-not-verified': [5, 'X_ssl_crl %%CERTS%%/revoked.crl;'],
  shown: [7, SHOWN],
  'shown-nothing': [7, ''],
  'shown-unasked': [1, SHOWN],
  'shown-stranger': [7, 'X_ssl_certificate %%CERTS%%/stranger.crt; X_ssl_certificate_key %%CERTS%%/stranger.key;'],
  'shown-chain': [7, 'X_ssl_certificate %%CERTS%%/chain.crt; X_ssl_certificate_key %%CERTS%%/client.key;'],
  'shown-secret': [
    7,
    'X_ssl_certificate %%CERTS%%/secret.crt; X_ssl_certificate_key %%CERTS%%/secret.key.encrypted; X_ssl_password_file %%CERTS%%/passwords;',
  ],
  'shown-empty': [6, 'X_ssl_certificate ""; X_ssl_certificate_key "";'],
  chosen: [7, CHOSEN],
  'chosen-name': [
    7,
    'X_ssl_certificate %%CERTS%%/$arg_c.crt; X_ssl_certificate_key %%CERTS%%/$arg_k; X_ssl_password_file %%CERTS%%/passwords;',
  ],
  'chosen-whole': [7, 'X_ssl_certificate $arg_c; X_ssl_certificate_key $arg_k;'],
}

const SPOKEN: Settings = {
  old: [1, ''],
  'old-11': [1, 'X_ssl_protocols TLSv1.1;'],
  'old-12': [1, 'X_ssl_protocols TLSv1.2;'],
  'old-13': [1, 'X_ssl_protocols TLSv1.3;'],
  'old-max-12': [6, 'X_ssl_conf_command MaxProtocol TLSv1.2;'],
  'old-min-13': [1, 'X_ssl_conf_command MinProtocol TLSv1.3;'],
  'old-protocol': [6, 'X_ssl_conf_command Protocol -TLSv1.3;'],
  new: [2, ''],
  'new-12': [2, 'X_ssl_protocols TLSv1.2;'],
  'new-13': [2, 'X_ssl_protocols TLSv1.3;'],
  suite: [2, 'X_ssl_conf_command Ciphersuites TLS_CHACHA20_POLY1305_SHA256;'],
  suites: [2, 'X_ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384;'],
  group: [2, 'X_ssl_conf_command Groups P-384;'],
  'groups-odd': [2, 'X_ssl_conf_command Groups P-521:X25519;'],
  cipher: [1, 'X_ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256;'],
  'cipher-256': [1, 'X_ssl_ciphers ECDHE-ECDSA-AES256-GCM-SHA384;'],
  'cipher-rsa': [1, 'X_ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;'],
  'cipher-rsa-13': [6, 'X_ssl_ciphers ECDHE-RSA-AES128-GCM-SHA256;'],
  'cipher-command': [1, 'X_ssl_ciphers AES128-SHA; X_ssl_conf_command CipherString ECDHE-ECDSA-AES128-GCM-SHA256;'],
  'cipher-none': [1, 'X_ssl_ciphers ECDHE-ECDSA-AES128-SHA;'],
  chacha: [4, ''],
  'chacha-not': [4, 'X_ssl_ciphers HIGH:!CHACHA20;'],
  again: [2, 'X_ssl_session_reuse on;'],
  'again-12': [1, 'X_ssl_session_reuse on;'],
  'no-ticket': [1, 'X_ssl_conf_command Options -SessionTicket;'],
  asked: [3, SHOWN],
  'asked-nothing': [3, ''],
  'asked-stranger': [3, 'X_ssl_certificate %%CERTS%%/stranger.crt; X_ssl_certificate_key %%CERTS%%/stranger.key;'],
  'asked-command': [
    3,
    'X_ssl_conf_command Certificate %%CERTS%%/client.crt; X_ssl_conf_command PrivateKey %%CERTS%%/client.key;',
  ],
  'signature-one': [6, 'X_ssl_conf_command SignatureAlgorithms RSA+SHA256:ECDSA+SHA256;'],
  'signature-none': [2, 'X_ssl_conf_command SignatureAlgorithms RSA-PSS+SHA256;'],
}

/** What is asked for beside the location alone. */
const TARGETS: Readonly<Record<string, readonly string[]>> = {
  'named-arg': [
    'n=good.example',
    'n=GOOD.example',
    'n=good.example.',
    'n=',
    'n=127.0.0.1',
    'n=127.0.0.1:1',
    'n=127.1',
    'n=1.2.3.4.5',
    'n=[::1]',
    'n=[::1',
    'n=a_b',
    'n=a%20b',
    'n=%C3%A4.example',
    'n=ä.example',
    `n=${'x'.repeat(255)}`,
    `n=${'x'.repeat(256)}`,
    'n=:443',
    'n=a:b:c',
  ],
  'verified-arg': [
    'n=good.example',
    'n=GOOD.Example',
    'n=good.example.',
    'n=one.wild.example',
    'n=a.b.wild.example',
    'n=wild.example',
    'n=.wild.example',
    'n=*.wild.example',
    'n=xn--a.wild.example',
    'n=other.example',
    'n=',
    'n=:443',
    'n=127.0.0.1',
    'n=[::1]',
  ],
  'verified-told': ['n=good.example', 'n=other.example', 'n=127.0.0.1'],
  'common-name': ['n=plain.example', 'n=PLAIN.example', 'n=x.plain.example'],
  chosen: [
    'c=client&k=client',
    'c=stranger&k=stranger',
    'c=client&k=stranger',
    'c=none&k=client',
    'c=client&k=none',
    'c=&k=',
  ],
  'chosen-name': ['c=secret&k=secret.key.encrypted', 'c=client&k=client.key', 'c=client&k=secret.key.encrypted'],
  'chosen-whole': ['', 'c=none&k=none', 'c=none&k='],
}

const frames = settingsFrame([]) + SETTINGS_ACK
/** Over HTTP/2 the connection stays open: a server that answers to a closed one loses what has come (RST). */
const closing = (send: string): Answer =>
  send.startsWith(frames) && !send.endsWith(CUT_END) ? { send } : { send, after: 'close' }
const CUT_END = 'cut'
const block = (fields: Readonly<Record<string, string>>): string =>
  Object.entries(fields)
    .map(([name, value]) => encodeField(name, value))
    .join('')
const head = (fields: Readonly<Record<string, string>>, flags = 0): string =>
  headersFrames(HERE, block({ ':status': '200', 'content-type': 'application/grpc', ...fields }), flags, 16384)
const data = (text: string, flags = 0): string => frameHead(text.length, DATA, flags, HERE) + text
const trailers = headersFrames(HERE, block({ 'grpc-status': '0' }), END_STREAM, 16384)
const long = 'a long line of text, '.repeat(1500)

/** What each family's back ends answer. */
const ANSWERS = {
  proxy: {
    plain: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'until the end': 'HTTP/1.1 200 OK\r\n\r\nok',
    large: `HTTP/1.1 200 OK\r\nContent-Length: ${long.length}\r\n\r\n${long}`,
    cut: 'HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nok',
    500: 'HTTP/1.1 500 No\r\nContent-Length: 2\r\n\r\nno',
    nothing: '',
  },
  uwsgi: {
    plain: 'Status: 200 OK\r\nContent-Length: 2\r\n\r\nok',
    'until the end': 'Status: 200 OK\r\n\r\nok',
    large: `\r\n${long}`,
    cut: 'Content-Length: 5\r\n\r\nok',
    500: 'Status: 500 No\r\nContent-Length: 2\r\n\r\nno',
    nothing: '',
    broken: 'junk\r\n\r\n',
  },
  grpc: {
    plain: frames + head({}) + data('ok') + trailers,
    'trailers only': frames + head({ 'grpc-status': '5', 'grpc-message': 'none' }, END_STREAM),
    large: frames + head({}) + data(long.slice(0, 16384)) + data(long.slice(16384)) + trailers,
    cut: frames + head({}) + data('is cut'),
    'RST_STREAM in the body': frames + head({}) + data('o') + rstStream(HERE, 8),
    'RST_STREAM 7': frames + rstStream(HERE, 7),
    500: frames + head({ ':status': '500' }) + data('no', END_STREAM),
    nothing: '',
    'not HTTP/2': 'HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n',
  },
} as const
type Family = keyof typeof ANSWERS

const passTo = (family: Family, where: string, secure = true): string =>
  ({
    proxy: `proxy_pass http${secure ? 's' : ''}://${where};`,
    uwsgi: `uwsgi_pass ${secure ? 'suwsgi' : 'uwsgi'}://${where};`,
    grpc: `grpc_pass grpc${secure ? 's' : ''}://${where};`,
  })[family]

function locations(family: Family, settings: Settings): string {
  return Object.entries(settings)
    .map(
      ([name, [port, text]]) =>
        `location /${name} { ${text.replaceAll('X_', `${family}_`)} ${passTo(family, `127.0.0.1:%%PORT_${port}%%`)} }`,
    )
    .join('\n')
}

const asked = (family: Family, target: string): string =>
  ask(target, family === 'grpc' ? ['TE: trailers', 'Content-Length: 3'] : ['Content-Length: 3'], 'POST', 'abc')

const kept = (family: Family, target: string): string => asked(family, target).replace('Connection: close\r\n', '')

function settingsCases(family: Family, settings: Settings): Record<string, Case> {
  const { plain } = ANSWERS[family]
  const answers = [closing(plain)]
  const targets = Object.keys(settings).flatMap((name) => [
    `/${name}`,
    ...(TARGETS[name] ?? []).map((query) => `/${name}?${query}`),
  ])
  return Object.fromEntries(
    targets.map((target) => [
      target.length > 60 ? `${target.slice(0, 20)} ${target.length}` : target,
      {
        send: target.startsWith('/again')
          ? [kept(family, target), kept(family, target), asked(family, target)]
          : asked(family, target),
        answers,
      },
    ]),
  )
}

const common = (family: Family, inner: string): string => `${family}_read_timeout 400ms; proxy_temp_path %%DIR%%/body;
${family === 'uwsgi' ? 'uwsgi_temp_path %%DIR%%/body; uwsgi_param A a;' : ''}
${inner}`
const server = (family: Family, inner: string): string =>
  `server { listen 127.0.0.1:%%PORT_0%%${family === 'grpc' ? ' http2' : ''}; server_name h; ${inner} }`

const NEXT = ['error', 'timeout', 'http_500', 'off', 'error timeout non_idempotent', 'invalid_header']

function nextCases(family: Family): Record<string, Case> {
  // A hello of TLS may be taken for a request of uwsgi.
  const places = [
    '/first',
    ...(family === 'uwsgi' ? [] : ['/plain-first']),
    '/dead-first',
    '/refused-first',
    ...NEXT.map((_, n) => `/n${n}`),
  ]
  return Object.fromEntries(
    places.flatMap((place) =>
      Object.entries<string>(ANSWERS[family]).flatMap(([name, send]): [string, Case][] => [
        [`${place} <- ${name}`, { send: ask(place), answers: [closing(send), closing(ANSWERS[family].plain)] }],
        [`${place} <- ${name} both`, { send: ask(place), answers: [closing(send)] }],
        [`POST ${place} <- ${name}`, { send: asked(family, place), answers: [closing(send)] }],
      ]),
    ),
  )
}

const groups = (family: Family): readonly Group[] => {
  const shared = {
    ...(family === 'proxy' ? {} : { speech: family === 'grpc' ? ('http2' as const) : ('uwsgi' as const) }),
    ...(family === 'grpc' ? { http2: true as const } : {}),
  }
  const verify = `${TRUST} X_ssl_name good.example;`.replaceAll('X_', `${family}_`)
  return [
    {
      ...shared,
      name: `gateways: ${family} ssl trust`,
      secured: KINDS,
      http: common(family, server(family, `${family}_ssl_session_reuse off; ${locations(family, VERIFIED)}`)),
      cases: settingsCases(family, VERIFIED),
    },
    {
      ...shared,
      name: `gateways: ${family} ssl spoken`,
      secured: OTHER_KINDS,
      http: common(family, server(family, `${family}_ssl_session_reuse off; ${locations(family, SPOKEN)}`)),
      cases: settingsCases(family, SPOKEN),
    },
    {
      ...shared,
      name: `gateways: ${family} ssl next`,
      secured: { 1: 'expired', 2: 'wanting', 3: 'good', 6: 'good' },
      http: common(
        family,
        `upstream two { server 127.0.0.1:%%PORT_6%% max_fails=0; server 127.0.0.1:%%PORT_3%% max_fails=0; }
        upstream expired { server 127.0.0.1:%%PORT_1%% max_fails=0; server 127.0.0.1:%%PORT_6%% max_fails=0; }
        upstream clear { server 127.0.0.1:%%PORT_7%% max_fails=0; server 127.0.0.1:%%PORT_6%% max_fails=0; }
        upstream dead { server 127.0.0.1:%%PORT_8%% max_fails=0; server 127.0.0.1:%%PORT_6%% max_fails=0; }
        upstream wanting { server 127.0.0.1:%%PORT_2%% max_fails=0; server 127.0.0.1:%%PORT_6%% max_fails=0; }
        ${server(
          family,
          `${verify} ${family}_ssl_session_reuse off; ${family}_connect_timeout 100ms;
          location /first { ${passTo(family, 'expired')} }
          location /plain-first { ${passTo(family, 'clear')} }
          location /dead-first { ${passTo(family, 'dead')} }
          location /refused-first { ${passTo(family, 'wanting')} }
          ${NEXT.map((words, n) => `location /n${n} { ${family}_next_upstream ${words}; ${passTo(family, 'two')} }`).join('\n')}`,
        )}`,
      ),
      cases: nextCases(family),
    },
  ]
}

/** What is asked about TLS to back ends. */
export const securedGroups: readonly Group[] = (['proxy', 'uwsgi', 'grpc'] as const).flatMap(groups)
