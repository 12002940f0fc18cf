/**
 * `ssl_conf_command`: OpenSSL's configuration commands (SSL_CONF_cmd). What Node.js has an option for holds for either engine of
 * TLS; the others are left to OpenSSL, which only the ring's engine can tell.
 */
import { constants } from 'node:crypto'
import { fullName } from '../config/include.ts'
import { cipherProblem, groupsProblem } from '../net/tls-wire-context.ts'
import type { ConfCommand } from './sources.ts'

/** A version of TLS, as Node names it. */
export type Version = 'TLSv1' | 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3'

/** What commands change. */
export interface Commanded {
  minVersion: Version
  maxVersion: Version
  secureOptions: number
  /** Empty: as `ssl_ciphers` says. */
  cipherString: string
  cipherSuites: string
  curves: string
  signatureAlgorithms: string
  /** Files that stand for those of the directives. */
  certificate: string
  key: string
  /** Those that Node cannot carry out. */
  readonly others: ConfCommand[]
}

/** The bit that forbids a version. */
const FORBIDDEN: Readonly<Record<Version, number>> = {
  TLSv1: constants.SSL_OP_NO_TLSv1,
  'TLSv1.1': constants.SSL_OP_NO_TLSv1_1,
  'TLSv1.2': constants.SSL_OP_NO_TLSv1_2,
  'TLSv1.3': constants.SSL_OP_NO_TLSv1_3,
}

/** Nothing commanded yet; `secureOptions` are bits that hold from the beginning. */
export function notCommanded(secureOptions: number): Commanded {
  return {
    minVersion: 'TLSv1',
    maxVersion: 'TLSv1.3',
    secureOptions,
    cipherString: '',
    cipherSuites: '',
    curves: '',
    signatureAlgorithms: '',
    certificate: '',
    key: '',
    others: [],
  }
}

/** The settings of a context that result; `ciphers` hold where nothing else was commanded. */
export function contextSettings(commanded: Commanded, ciphers: string) {
  const { minVersion, maxVersion, secureOptions, curves, signatureAlgorithms, cipherSuites, cipherString } = commanded
  const commands = commanded.others.map(({ name, value }) => [name, value] as const)
  const list = cipherString === '' ? ciphers : cipherString
  return {
    minVersion,
    maxVersion,
    secureOptions,
    ciphers: cipherSuites === '' ? list : `${cipherSuites}:${list}`,
    curves,
    signatureAlgorithms,
    commands,
  }
}

/** The bits that forbid all versions but those named. */
export function forbidden(protocols: readonly string[]): number {
  let mask = 0
  for (const [version, bit] of Object.entries(FORBIDDEN)) if (!protocols.includes(version)) mask |= bit
  return mask
}

/** Bits that Node has no names for (openssl/ssl.h). */
const NO_EXTENDED_MASTER_SECRET = 1 << 0
const DISABLE_CA_NAMES = 1 << 9
const ENABLE_MIDDLEBOX_COMPAT = 1 << 20
/** Early data that is repeated is not noticed, as in nginx. */
export const NO_ANTI_REPLAY: number = 1 << 24

/** Names of the command `Options`: the bit, and whether naming it sets or clears it. */
const OPTIONS: Readonly<Record<string, readonly [bit: number, sets: boolean]>> = {
  sessionticket: [constants.SSL_OP_NO_TICKET, false],
  emptyfragments: [constants.SSL_OP_DONT_INSERT_EMPTY_FRAGMENTS, false],
  bugs: [constants.SSL_OP_ALL, true],
  compression: [constants.SSL_OP_NO_COMPRESSION, false],
  serverpreference: [constants.SSL_OP_CIPHER_SERVER_PREFERENCE, true],
  noresumptiononrenegotiation: [constants.SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION, true],
  dhsingle: [0, true],
  ecdhsingle: [0, true],
  unsafelegacyrenegotiation: [constants.SSL_OP_ALLOW_UNSAFE_LEGACY_RENEGOTIATION, true],
  unsafelegacyserverconnect: [constants.SSL_OP_LEGACY_SERVER_CONNECT, true],
  encryptthenmac: [constants.SSL_OP_NO_ENCRYPT_THEN_MAC, false],
  norenegotiation: [constants.SSL_OP_NO_RENEGOTIATION, true],
  allownodhekex: [constants.SSL_OP_ALLOW_NO_DHE_KEX, true],
  prioritizechacha: [constants.SSL_OP_PRIORITIZE_CHACHA, true],
  extendedmastersecret: [NO_EXTENDED_MASTER_SECRET, false],
  middleboxcompat: [ENABLE_MIDDLEBOX_COMPAT, true],
  canames: [DISABLE_CA_NAMES, false],
  // Node's OpenSSL is built without the kernel's TLS, and no engine has a socket of its own.
  ktls: [0, true],
  ktlstxzerocopysendfile: [0, true],
  antireplay: [NO_ANTI_REPLAY, false],
}
/** Options that Node knows nothing of. */
const OTHER_OPTIONS: ReadonlySet<string> = new Set([
  'clientrenegotiation',
  'ignoreunexpectedeof',
  'prefernodhekex',
  'rxcertificatecompression',
  'strictcertcheck',
  'txcertificatecompression',
])
/** Set unless cleared; Node can only set. */
const SET_BY_DEFAULT = ENABLE_MIDDLEBOX_COMPAT | constants.SSL_OP_NO_COMPRESSION

const VERSIONS: readonly Version[] = ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3']

/** Carries out one command; false when OpenSSL does not know it, or does not take its value. */
type Carry = (value: string, to: Commanded, command: ConfCommand) => boolean

const COMMANDS: Readonly<Record<string, Carry>> = {
  options: (value, to, command) => value.split(',').every((item) => setOption(item.trim(), to, command)),
  protocol: (value, to) => value.split(',').every((item) => setProtocol(item.trim(), to)),
  minprotocol: (value, to) => {
    const version = value === 'None' ? 'TLSv1' : versionOf(value)
    if (version !== undefined) to.minVersion = version
    return version !== undefined
  },
  maxprotocol: (value, to) => {
    const version = value === 'None' ? 'TLSv1.3' : versionOf(value)
    if (version !== undefined) to.maxVersion = version
    return version !== undefined
  },
  cipherstring: (value, to) => {
    to.cipherString = value
    return cipherProblem(value) === ''
  },
  ciphersuites: (value, to) => {
    to.cipherSuites = value
    return value.split(':').every((suite) => suite.startsWith('TLS_')) && cipherProblem(`${value}:DEFAULT`) === ''
  },
  curves: setCurves,
  groups: setCurves,
  ecdhparameters: (value, to) => /^\+?automatic$/i.test(value) || (!value.includes(':') && setCurves(value, to)),
  clientsignaturealgorithms: other,
  numtickets: other,
  recordpadding: other,
  verifymode: other,
  chaincafile: otherPath,
  chaincapath: otherPath,
  clientcafile: otherPath,
  clientcapath: otherPath,
  dhparameters: otherPath,
  requestcafile: otherPath,
  requestcapath: otherPath,
  serverinfofile: otherPath,
  verifycafile: otherPath,
  verifycapath: otherPath,
  signaturealgorithms: (value, to) => {
    to.signatureAlgorithms = value
    return groupsProblem('', value) === ''
  },
  certificate: (value, to, { prefix }) => {
    to.certificate = fullName(value, prefix)
    return true
  },
  privatekey: (value, to, { prefix }) => {
    to.key = fullName(value, prefix)
    return true
  },
}

/** What is said of a command that failed; `problem` is what OpenSSL has said, if it was asked. */
export function failedText(name: string, value: string, problem = ''): string {
  return `SSL_CONF_cmd("${name}", "${value}") failed${problem === '' ? '' : ` (SSL: ${problem})`}`
}

/** Carries out commands in their order; returns the one that failed. */
export function carryOut(commands: readonly ConfCommand[], to: Commanded): ConfCommand | undefined {
  return commands.find((command) => {
    const name = command.name.toLowerCase()
    const carry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
    return carry?.(command.value, to, command) !== true
  })
}

/** OpenSSL says what is wrong with it when it is asked. */
function other(_value: string, to: Commanded, command: ConfCommand): boolean {
  to.others.push(command)
  return true
}

function otherPath(value: string, to: Commanded, command: ConfCommand): boolean {
  return other(value, to, { ...command, value: fullName(value, command.prefix) })
}

function setCurves(value: string, to: Commanded): boolean {
  to.curves = value
  return groupsProblem(value, '') === ''
}

function setOption(item: string, to: Commanded, command: ConfCommand): boolean {
  const off = item.startsWith('-')
  const name = item.replace(/^[+-]/, '').toLowerCase()
  const known = Object.hasOwn(OPTIONS, name) ? OPTIONS[name] : undefined
  if (known === undefined) return OTHER_OPTIONS.has(name) && other(item, to, { ...command, value: item })
  const [bit, sets] = known
  if (sets !== off) to.secureOptions |= bit
  else if ((bit & SET_BY_DEFAULT) !== 0) return other(item, to, { ...command, value: item })
  else to.secureOptions &= ~bit
  return true
}

function setProtocol(item: string, to: Commanded): boolean {
  const off = item.startsWith('-')
  const name = item.replace(/^[+-]/, '')
  const version = versionOf(name)
  if (name !== 'ALL' && version === undefined) return /^SSLv[23]$/.test(name)
  for (const one of name === 'ALL' ? VERSIONS : [version!]) {
    if (off) to.secureOptions |= FORBIDDEN[one]
    else to.secureOptions &= ~FORBIDDEN[one]
  }
  return true
}

function versionOf(name: string): Version | undefined {
  return VERSIONS.find((version) => version === name)
}
