/** TLS: protocols, ciphers, stapling, and the certificates themselves. */
import { createPrivateKey, X509Certificate } from 'node:crypto'
import type { Model } from '../../model/model.ts'
import type { Node } from '../../model/node.ts'
import type { Check } from '../check.ts'
import { listenersOf, namesOf, targetIn, withoutPort } from '../facts.ts'

/** Ways to back ends by TLS, and how their targets begin. */
const TLS_PASSES = [
  ['proxy', 'https://'],
  ['grpc', 'grpcs://'],
  ['uwsgi', 'suwsgi://'],
] as const
const DAY_MS = 86_400_000
const SOON_DAYS = 14
const OLD = /^(?:SSLv2|SSLv3|TLSv1|TLSv1\.1)$/
const WEAK = /(?:^|[:+])(?:NULL|eNULL|aNULL|EXP|EXPORT\d*|RC4|DES|3DES|MD5|LOW|SEED|IDEA|ADH|AECDH)(?=$|[:+-])/i

/** Servers that take TLS. */
function tlsServers(model: Model): Node[] {
  return model
    .all('server')
    .filter((server) => server.opens === 'server' && server.own('listen').some(({ words }) => words.includes('ssl')))
}

interface Loaded {
  readonly node: Node
  readonly chain: readonly X509Certificate[]
}

/** The certificates of a server that can be read. */
function certificatesOf(model: Model, server: Node): Loaded[] {
  return model.effective(server, 'ssl_certificate').flatMap((node) => {
    const text = readText(model, node.first)
    const blocks = text?.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----/g) ?? []
    const chain = blocks.flatMap((block) => parsed(block) ?? [])
    return chain.length > 0 ? [{ node, chain }] : []
  })
}

function parsed(block: string): X509Certificate | undefined {
  try {
    return new X509Certificate(block)
  } catch {
    return undefined
  }
}

function readText(model: Model, name: string): string | undefined {
  if (model.elsewhere || name.includes('$') || name.startsWith('data:') || name.startsWith('engine:')) return undefined
  try {
    return model.config.source.read(name.startsWith('/') ? name : model.config.confPrefix + name)
  } catch {
    return undefined
  }
}

export const tlsChecks: readonly Check[] = [
  {
    id: 'weak_ssl_tls',
    level: 'medium',
    title: 'old protocols or weak ciphers',
    why: 'TLS 1.0 and 1.1 are withdrawn (RFC 8996) and attackers can read what RC4, 3DES and their kin protect.',
    advice: 'Say `ssl_protocols TLSv1.2 TLSv1.3;` and leave weak names out of ssl_ciphers.',
    bad: 'server { listen 443 ssl; ssl_protocols TLSv1 TLSv1.2; }',
    good: 'server { listen 443 ssl; ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers ECDHE+AESGCM:!aNULL:!MD5; }',
    find(model, report) {
      for (const node of model.all('ssl_protocols', 'proxy_ssl_protocols')) {
        const old = node.words.filter((word) => OLD.test(word))
        const rest = node.words.filter((word) => !OLD.test(word))
        if (old.length === 0) continue
        const [word] = node.args
        const edits = node.args.slice(1).map((other) => ({ kind: 'replace', word: other, text: '' }) as const)
        const fix = {
          what: `keep ${rest.join(' ')}`,
          edits: [{ kind: 'replace', word: word!, text: rest.join(' ') } as const, ...edits],
        }
        report(
          node,
          `${old.join(' and ')} ${old.length > 1 ? 'are' : 'is'} no longer safe`,
          rest.length > 0 ? { fix } : {},
        )
      }
      for (const node of model.all('ssl_ciphers')) {
        const weak = WEAK.exec(
          node.first
            .split(':')
            .filter((part) => !/^[!-]/.test(part))
            .join(':'),
        )
        if (weak !== null) report(node, `"${weak[0].replace(/^[:+]/, '')}" is weak`, { word: node.args[0] })
      }
    },
  },
  {
    id: 'http2_misdirected_request',
    level: 'low',
    title: 'requests over a connection that was made for another name',
    why: 'A browser with one connection asks for every name that the certificate has. The default server refuses handshakes for unknown names, and never sees one for these requests: they are answered with its pages.',
    advice:
      'Say `return 421;` in that server: the browser opens a connection of its own. (444 closes the one that others use.)',
    bad: 'events {} http { server { listen 443 ssl default_server; http2 on; ssl_reject_handshake on; } server { listen 443 ssl; server_name a.example; } }',
    good: 'events {} http { server { listen 443 ssl default_server; http2 on; ssl_reject_handshake on; return 421; } server { listen 443 ssl; server_name a.example; } }',
    find(model, report) {
      for (const listens of listenersOf(model).values()) {
        const standard = (listens.find(({ words }) => words.includes('default_server')) ?? listens[0])!.parent!
        const [reject] = standard.own('ssl_reject_handshake')
        const speaksHttp2 = listens.some(
          ({ words, parent }) => words.includes('http2') || model.setting(parent!, 'http2') === 'on',
        )
        const others = listens.filter(({ parent }) => parent !== standard)
        if (reject?.first !== 'on' || !speaksHttp2 || others.length === 0) continue
        const answers = [...standard.own('return'), ...standard.own('location').flatMap((one) => one.own('return'))]
        if (!answers.some(({ first }) => first === '421'))
          report(reject, 'requests for other names over HTTP/2 are answered here, and not with 421')
      }
    },
  },
  {
    id: 'proxy_ssl_not_verified',
    level: 'info',
    title: 'anybody may be at the other end',
    why: 'The connection to the back end is encrypted, and its certificate is not looked at: whoever is on the way there can read and change everything. It is off by default.',
    advice:
      'Say `proxy_ssl_verify on;` with proxy_ssl_trusted_certificate (the bundle of the system for public ones) and proxy_ssl_name.',
    bad: 'location / { proxy_pass https://app.example; }',
    good: 'location / { proxy_pass https://app.example; proxy_ssl_verify on; proxy_ssl_trusted_certificate /etc/ssl/certs/ca-certificates.crt; }',
    find(model, report) {
      for (const [pass, scheme] of TLS_PASSES) {
        for (const node of model.all(`${pass}_pass`)) {
          const host = withoutPort(targetIn(node.first)?.host ?? '')
          if (!node.first.startsWith(scheme) || /^(?:127\.|localhost$|\[::1\]|unix:)/.test(host)) continue
          if (model.setting(node.parent!, `${pass}_ssl_verify`) !== 'on')
            report(node, `the certificate of "${host}" is not verified`, { word: node.args[0] })
        }
      }
    },
  },
  {
    id: 'ssl_stapling_without_resolver',
    level: 'low',
    title: 'stapling without a resolver',
    why: 'The address of the OCSP responder is looked up while serving; without resolver nginx staples nothing.',
    advice: 'Name a DNS server by resolver, or switch stapling off.',
    bad: 'events {} http { server { listen 443 ssl; ssl_stapling on; } }',
    good: 'events {} http { resolver 127.0.0.53; server { listen 443 ssl; ssl_stapling on; } }',
    find(model, report) {
      if (!model.complete) return
      for (const node of model.all('ssl_stapling')) {
        const block = node.parent!
        const isGiven =
          model.effective(block, 'resolver').length > 0 || block.inside().some(({ name }) => name === 'resolver')
        if (node.first === 'on' && !isGiven && model.effective(block, 'ssl_stapling_file').length === 0)
          report(node, 'nothing is stapled without a resolver')
      }
    },
  },
  {
    id: 'ssl_stapling_letsencrypt',
    level: 'low',
    title: "stapling for Let's Encrypt",
    why: "Let's Encrypt ended OCSP in 2025: its certificates name no responder, and there is nothing to staple.",
    advice: 'Remove ssl_stapling and ssl_stapling_verify.',
    bad: 'server { listen 443 ssl; ssl_stapling on; ssl_certificate /etc/letsencrypt/live/x/fullchain.pem; }',
    good: 'server { listen 443 ssl; ssl_certificate /etc/letsencrypt/live/x/fullchain.pem; }',
    find(model, report) {
      for (const node of model.all('ssl_stapling')) {
        const { parent } = node
        const files = [
          ...model.effective(parent!, 'ssl_certificate'),
          ...parent!.own('server').flatMap((server) => server.own('ssl_certificate')),
        ]
        if (node.first === 'on' && files.some(({ first }) => first.includes('letsencrypt'))) {
          report(node, "Let's Encrypt has no OCSP any more", {
            fix: { what: 'remove it', edits: [{ kind: 'remove', node }] },
          })
        }
      }
    },
  },
  {
    id: 'ssl_ecdh_curve',
    level: 'info',
    title: 'curves without the one that quantum computers do not break',
    why: 'What is recorded today may be read later. A list of your own switches X25519MLKEM768 off, which the default has.',
    advice: 'Leave the directive out, or begin the list with X25519MLKEM768.',
    bad: 'server { listen 443 ssl; ssl_ecdh_curve secp384r1; }',
    good: 'server { listen 443 ssl; ssl_ecdh_curve X25519MLKEM768:X25519; }',
    find(model, report) {
      for (const node of model.all('ssl_ecdh_curve')) {
        if (node.first !== 'auto' && !/MLKEM/i.test(node.first))
          report(node, 'X25519MLKEM768 is not offered', { word: node.args[0] })
      }
    },
  },
  {
    id: 'certificate_expired',
    level: 'high',
    title: 'a certificate that has ended, or soon will',
    why: 'Clients refuse the connection.',
    advice: 'Renew it; a renewed file is used without a reload.',
    bad: 'server { listen 443 ssl; ssl_certificate expired.pem; ssl_certificate_key key.pem; server_name a.example; }',
    good: 'server { listen 443 ssl; ssl_certificate good.pem; ssl_certificate_key key.pem; server_name a.example; }',
    find(model, report) {
      const now = Date.now()
      for (const server of tlsServers(model)) {
        for (const { node, chain } of certificatesOf(model, server)) {
          const until = Date.parse(chain[0]!.validTo)
          const day = new Date(until).toISOString().slice(0, 10)
          if (until < now) report(node, `the certificate has ended on ${day}`, { word: node.args[0] })
          else if (until < now + SOON_DAYS * DAY_MS)
            report(node, `the certificate ends on ${day}`, { level: 'medium', word: node.args[0] })
        }
      }
    },
  },
  {
    id: 'certificate_name',
    level: 'medium',
    title: 'a certificate that is not for the names of its server',
    why: 'Browsers warn of it and programs refuse it.',
    advice: 'Get a certificate with all names of the server.',
    bad: 'server { listen 443 ssl; ssl_certificate good.pem; ssl_certificate_key key.pem; server_name b.example; }',
    good: 'server { listen 443 ssl; ssl_certificate good.pem; ssl_certificate_key key.pem; server_name a.example; }',
    find(model, report) {
      for (const server of tlsServers(model)) {
        const loaded = certificatesOf(model, server)
        for (const name of namesOf(server)) {
          if (name.kind !== 'exact' || !/^[a-z0-9.-]+\.[a-z0-9-]+$/i.test(name.text) || /^[\d.]+$/.test(name.text))
            continue
          const [first] = loaded
          if (first !== undefined && loaded.every(({ chain }) => chain[0]!.checkHost(name.text) === undefined)) {
            report(first.node, `the certificate is not for "${name.text}"`, { word: first.node.args[0] })
          }
        }
      }
    },
  },
  {
    id: 'certificate_chain',
    level: 'medium',
    title: 'a certificate without those between it and its authority',
    why: 'Browsers may find them elsewhere; programs (curl, phones, other servers) refuse the connection.',
    advice: 'Put the intermediate certificates behind it in the file ("fullchain").',
    bad: 'server { listen 443 ssl; ssl_certificate alone.pem; ssl_certificate_key key.pem; server_name a.example; }',
    good: 'server { listen 443 ssl; ssl_certificate good.pem; ssl_certificate_key key.pem; server_name a.example; }',
    find(model, report) {
      for (const server of tlsServers(model)) {
        for (const { node, chain } of certificatesOf(model, server)) {
          const broken = chain.findIndex((one, i) => chain[i + 1] !== undefined && one.issuer !== chain[i + 1]!.subject)
          if (broken >= 0)
            report(node, `certificate ${broken + 2} in the file has not signed the one before it`, {
              word: node.args[0],
            })
          // One that names where its issuer's certificate is has been signed by an intermediate, which belongs behind it.
          else if (chain.length === 1 && /CA Issuers/.test(chain[0]!.infoAccess ?? '') && !isRoot(chain[0]!))
            report(node, 'the certificate of its issuer is not in the file', { word: node.args[0] })
        }
      }
    },
  },
  {
    id: 'certificate_key',
    level: 'high',
    title: 'a key that does not belong to its certificate',
    why: 'The server does not start with it.',
    advice: 'Name the key that the certificate was made with.',
    bad: 'server { listen 443 ssl; ssl_certificate good.pem; ssl_certificate_key other.pem; server_name a.example; }',
    good: 'server { listen 443 ssl; ssl_certificate good.pem; ssl_certificate_key key.pem; server_name a.example; }',
    find(model, report) {
      for (const server of tlsServers(model)) {
        const keys = model.effective(server, 'ssl_certificate_key')
        const loaded = certificatesOf(model, server)
        if (keys.length !== loaded.length) continue
        loaded.forEach(({ node, chain }, i) => {
          const text = readText(model, keys[i]!.first)
          if (text !== undefined && isOther(chain[0]!, text))
            report(keys[i], `it does not belong to "${node.first}"`, { word: keys[i]!.args[0] })
        })
      }
    },
  },
]

function isRoot(certificate: X509Certificate): boolean {
  return certificate.subject === certificate.issuer
}

function isOther(certificate: X509Certificate, key: string): boolean {
  try {
    return !certificate.checkPrivateKey(createPrivateKey(key))
  } catch {
    // Encrypted, or no key at all: the server says so.
    return false
  }
}
