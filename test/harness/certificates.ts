/**
 * Certificates for tests, made by the `openssl` program in a folder of their own: an authority, an intermediate one, and
 * what they sign. Everything goes with the folder.
 */
import { execFileSync } from 'node:child_process'
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'

/** A certificate and its key, as PEM files and texts. */
export interface Pair {
  readonly certFile: string
  readonly keyFile: string
  readonly cert: string
  readonly key: string
}

/** What a certificate is to be. */
export interface PairOptions {
  /** Who signs; itself when left out. */
  readonly issuer?: Pair
  /** May sign others. */
  readonly authority?: boolean
  /** DNS names beside the common name. */
  readonly names?: readonly string[]
  /** Ended yesterday. */
  readonly expired?: boolean
  /** An RSA key of 2048 bits, or of as many, instead of one on P-256. */
  readonly rsa?: boolean | number
  /** Where its status is told (OCSP). */
  readonly responder?: string
}

/** A folder of certificates. */
export class Certificates {
  readonly dir = fs.mkdtempSync(path.join(os.tmpdir(), 'viaduct-certs-'))

  constructor() {
    fs.chmodSync(this.dir, 0o755)
  }

  /** Makes a certificate whose common name is `name`; files are called after it. */
  make(name: string, options: PairOptions = {}): Pair {
    const { issuer, authority = false, names = [], expired = false, rsa = false, responder } = options
    const certFile = this.path(`${name}.crt`)
    const keyFile = this.path(`${name}.key`)
    if (rsa !== false) openssl('genrsa', '-out', keyFile, rsa === true ? '2048' : String(rsa))
    else openssl('ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', keyFile)
    // Workers of a server started by root run as nobody.
    fs.chmodSync(keyFile, 0o644)
    const alternative = names.length === 0 ? '' : `subjectAltName=${names.map((one) => `DNS:${one}`).join(',')}\n`
    const access = responder === undefined ? '' : `authorityInfoAccess=OCSP;URI:${responder}\n`
    const constraints = `basicConstraints=CA:${authority ? 'TRUE' : 'FALSE'}\n`
    fs.writeFileSync(this.path('extensions'), constraints + alternative + access)
    const request = this.path(`${name}.csr`)
    openssl('req', '-new', '-key', keyFile, '-subj', `/CN=${name}`, '-out', request)
    const signer = issuer === undefined ? ['-signkey', keyFile] : ['-CA', issuer.certFile, '-CAkey', issuer.keyFile]
    const serial = issuer === undefined ? [] : ['-set_serial', String(fs.readdirSync(this.dir).length)]
    const days = ['-days', expired ? '-1' : '30']
    openssl(
      'x509',
      '-req',
      '-in',
      request,
      ...signer,
      ...serial,
      ...days,
      '-extfile',
      this.path('extensions'),
      '-out',
      certFile,
    )
    return { certFile, keyFile, cert: fs.readFileSync(certFile, 'utf8'), key: fs.readFileSync(keyFile, 'utf8') }
  }

  /** Writes the list of what `issuer` has revoked, and returns its file. */
  revoke(issuer: Pair, revoked: readonly Pair[]): string {
    const file = this.path('revoked.crl')
    const conf = this.path('ca.conf')
    fs.writeFileSync(this.path('index'), '')
    const settings = `database=${this.path('index')}\ndefault_md=sha256\ndefault_crl_days=30\n`
    fs.writeFileSync(conf, `[ca]\ndefault_ca=this\n[this]\n${settings}`)
    const ca = ['ca', '-config', conf, '-cert', issuer.certFile, '-keyfile', issuer.keyFile]
    for (const { certFile } of revoked) openssl(...ca, '-revoke', certFile)
    openssl(...ca, '-gencrl', '-out', file)
    return file
  }

  /** The issuer's signed answer about a certificate, in DER. */
  status(issuer: Pair, pair: Pair, revoked = false): Buffer {
    const serial = execFileSync('openssl', ['x509', '-in', pair.certFile, '-noout', '-serial'], { encoding: 'utf8' })
    const number = serial.trim().replace('serial=', '')
    const state = revoked ? 'R\t301231235959Z\t260101000000Z' : 'V\t301231235959Z\t'
    const index = this.path('ocsp-index')
    fs.writeFileSync(index, `${state}\t${number}\tunknown\t/CN=x\n`)
    const answer = this.path('ocsp-answer')
    const about = ['-issuer', issuer.certFile, '-cert', pair.certFile]
    const signer = ['-CA', issuer.certFile, '-rsigner', issuer.certFile, '-rkey', issuer.keyFile]
    openssl('ocsp', ...about, '-reqout', this.path('ocsp-question'))
    openssl('ocsp', '-index', index, ...signer, '-reqin', this.path('ocsp-question'), '-respout', answer, '-ndays', '1')
    return fs.readFileSync(answer)
  }

  /** A copy of a key under a password; returns its file. */
  encrypt(pair: Pair, password: string): string {
    const file = `${pair.keyFile}.encrypted`
    openssl('pkcs8', '-topk8', '-in', pair.keyFile, '-passout', `pass:${password}`, '-out', file)
    fs.chmodSync(file, 0o644)
    return file
  }

  path(name: string): string {
    return path.join(this.dir, name)
  }

  [Symbol.dispose](): void {
    this.remove()
  }

  /** Called by `after`: tests run when their file has been read to its end. */
  remove(): void {
    fs.rmSync(this.dir, { recursive: true, force: true })
  }
}

function openssl(...args: readonly string[]): void {
  execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
